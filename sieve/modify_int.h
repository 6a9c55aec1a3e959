/* SPDX-License-Identifier: ISC */
/*
 * modify - what set does to a value before it keeps it (RFC 5229 section 4.1)
 *
 * Case is ASCII case.  Modifiers are applied in the order of their precedence: :lower and
 * :upper, :lowerfirst and :upperfirst, :quotewildcard and :quoteregex, :encodeurl, :length.
 *
 * Tests: t/sieve/variables.svtest
 */
#ifndef MODIFY_INT_H
#define MODIFY_INT_H

#include "sieve/run_int.h"

struct modifier {
	struct str (*apply)(struct run *r, struct str s);
};

extern const struct modifier modifier_lower, modifier_upper;
extern const struct modifier modifier_lowerfirst, modifier_upperfirst;
extern const struct modifier modifier_quotewildcard, modifier_quoteregex;
extern const struct modifier modifier_encodeurl, modifier_length;

struct str modify(struct run *r, const struct node *n, struct str value);

#endif
