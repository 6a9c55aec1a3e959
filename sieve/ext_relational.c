/* SPDX-License-Identifier: ISC */
/* relational (RFC 5231): match types :value and :count */
#include "sieve/extensions_int.h"

static bool key_order(struct matching *m, struct str value, size_t key)
{
	const struct match *x = m->match;
	/* Both are in the comparator's canonical form by now. */
	struct comparator plain = *x->comparator;

	plain.canonical = NULL;
	return relation_holds(x->relation,
			      comparator_order(m->run, &plain, value, m->keys[key]));
}

const struct match_type match_value = {
	.name = "value", .relational = true, .key = key_order};
const struct match_type match_count = {
	.name = "count", .relational = true, .counts = true, .key = key_order};

static const struct tag tags[] = {
	{.name = "value",
	 .on = TAKES_MATCH,
	 .slot = SLOT_MATCH,
	 .value = VALUE_STRING,
	 .is = &match_value,
	 .fixed = true},
	{.name = "count",
	 .on = TAKES_MATCH,
	 .slot = SLOT_MATCH,
	 .value = VALUE_STRING,
	 .is = &match_count,
	 .fixed = true},
};

const struct extension ext_relational = {
	.name = "relational", .tags = tags, .n_tags = countof(tags)};
