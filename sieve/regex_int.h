/* SPDX-License-Identifier: ISC */
/*
 * regex - regular expressions, by PCRE2, which counts its steps
 *
 * Limits: REGEX_STEPS a match, REGEX_OCTETS a pattern.  Passing the first is a failure of
 *         the script: what the answer would be is not known.
 * Tests:  t/unit/sieve/regex.c  t/sieve/regex.svtest
 */
#ifndef REGEX_INT_H
#define REGEX_INT_H

#include "lib/str.h"

#include <stdint.h>

struct arena;
struct buf;
struct checker;
struct match;
struct regex;

enum {
	REGEX_STEPS_MIN = 1000,
	REGEX_STEPS = 100000,
	REGEX_OCTETS = 4096,
	REGEX_HEAP_KB = 1024,
	REGEX_DEPTH = 1000,
	REGEX_GROUPS = 33
};

/* NULL: *why says what is wrong. */
struct regex *regex_new(struct str pattern, bool fold, struct buf *why);
void regex_free(struct regex **r);

enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };

struct regex_match {
	uint64_t work_max; /* no new attempt beyond it */
	uint64_t work;     /* what it took, about */
	struct str capture[REGEX_GROUPS];
	size_t n;
};

enum regex_result regex_match(const struct regex *r, struct str s, struct regex_match *m);

/* Compiles those keys that have no variables. */
bool regex_prepare(struct checker *c, struct match *m);

#endif
