/* SPDX-License-Identifier: ISC */
/*
 * redirect - where a message is sent on to, and with which wishes
 *
 * Tests: t/sieve/redirect.svtest
 */
#ifndef REDIRECT_INT_H
#define REDIRECT_INT_H

#include "sieve/check_int.h"
#include "sieve/run_int.h"

/* Appends the address as RFC 5321 writes it; false: it is none. */
bool redirect_address(struct str s, struct buf *out);
/* :bymode and :bytrace mean something with a time only. */
bool redirect_check(struct checker *c, const struct node *n);
/* What redirect-dsn and redirect-deliverby ask for; false: the run has failed. */
bool redirect_options(struct run *r, const struct node *n, struct sieve_redirect *to);

#endif
