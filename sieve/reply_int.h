/* SPDX-License-Identifier: ISC */
/*
 * reply - whom vacation must not answer (RFC 5230 section 4.5 to 4.7, RFC 3834 section 2)
 *
 * Tests: t/sieve/vacation.svtest
 */
#ifndef REPLY_INT_H
#define REPLY_INT_H

#include "sieve/run_int.h"

/* Why there is to be no answer; NULL: there may be one.  `mine` are addresses of the owner
 * beside those that the host knows. */
const char *reply_withheld(struct run *r, struct sieve_strings mine);

#endif
