/* SPDX-License-Identifier: ISC */
/*
 * fcc - where a copy of what was sent is put (RFC 8580): vacation, notify
 *
 * Tests: t/sieve/fcc.svtest
 */
#ifndef FCC_INT_H
#define FCC_INT_H

#include "sieve/check_int.h"
#include "sieve/run_int.h"

/* :flags, :create and :specialuse mean something with :fcc only. */
bool fcc_check(struct checker *c, struct node *n);
/* *f has a folder where the node has :fcc; false: the run has failed. */
bool fcc_take(struct run *r, const struct node *n, struct sieve_filing *f);

#endif
