/* SPDX-License-Identifier: ISC */
/*
 * digest - what is remembered of several strings: SHA-256, in hex
 *
 * Each is taken with its length, so that no two lists of strings give the same text.
 *
 * Tests: t/sieve/duplicate.svtest  t/sieve/vacation.svtest
 */
#ifndef DIGEST_INT_H
#define DIGEST_INT_H

#include "sieve/run_int.h"

struct str digest(struct run *r, const struct str *parts, size_t n);

#endif
