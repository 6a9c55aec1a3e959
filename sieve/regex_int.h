/* SPDX-License-Identifier: ISC */
/*
 * regex - regular expressions, by PCRE2, with all work counted
 *
 * PCRE2 limits the backtracking from one place of the subject, and neither how many places it
 * tries nor how far it runs without backtracking.  So few places are tried at a time, with
 * few steps; a place that needs more is tried alone, with ten times as many until REGEX_STEPS.
 * And what runs without being counted is not part of a pattern: possessive and atomic
 * groups, back references, assertions and all else that begins with "(?" or "(*".  POSIX has
 * none of them.
 *
 * Limits: REGEX_STEPS from one place, REGEX_OCTETS a pattern.  Passing the first is a failure
 *         of the script: what the answer would be is not known.
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
	REGEX_STEPS = 100000,
	REGEX_STEPS_MANY = 100, /* where many places are tried at once */
	REGEX_PLACES = 256,
	REGEX_PLACE_COST = 8, /* what a place is counted for */
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
	uint64_t work_max; /* REGEX_LIMIT is said when it is reached */
	uint64_t work;     /* what it took, about */
	struct str capture[REGEX_GROUPS];
	size_t n;
};

/* `s` has to be UTF-8. */
enum regex_result regex_match(const struct regex *r, struct str s, struct regex_match *m);

/* Compiles those keys that have no variables. */
bool regex_prepare(struct checker *c, struct match *m);

#endif
