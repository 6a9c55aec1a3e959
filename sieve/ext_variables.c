/* SPDX-License-Identifier: ISC */
/* variables (RFC 5229): set with its modifiers, and the test string */
#include "sieve/extensions_int.h"

#include "sieve/modify_int.h"

static bool check_set(struct checker *c, struct node *n)
{
	const struct text *name = &node_arg(n, SLOT_NAMES)->texts.list[0];
	uint32_t *index = arena_alloc(&c->script->arena, sizeof *index);

	n->data = index;
	return checker_variable(c, name->fixed, name->at, index);
}

static enum flow run_set_command(struct run *r, const struct node *n)
{
	const uint32_t *index = n->data;

	run_set(r, *index, modify(r, n, run_string(r, n, SLOT_VALUE)));
	return FLOW_NEXT;
}

static bool test_string(struct run *r, const struct node *n)
{
	struct sieve_strings values = run_strings(r, n, SLOT_VALUE);
	struct matching m;

	matching_begin(&m, r, n->match);
	for (size_t i = 0; i < values.n; i++) {
		/* RFC 5229 section 5: :count counts what is not empty */
		if (n->match->type->counts && values.list[i].n == 0)
			continue;
		if (matching_value(&m, values.list[i]))
			break;
	}
	return matching_end(&m);
}

static const struct definition definitions[] = {
	{.name = "set",
	 .takes = TAKES_SET,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES, .fixed = true},
		    {.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .check = check_set,
	 .run = run_set_command},
	{.name = "string",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_VALUE},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .test = test_string},
};

static const struct tag tags[] = {
	{.name = "lower", .on = TAKES_SET, .slot = SLOT_CASE, .is = &modifier_lower},
	{.name = "upper", .on = TAKES_SET, .slot = SLOT_CASE, .is = &modifier_upper},
	{.name = "lowerfirst",
	 .on = TAKES_SET,
	 .slot = SLOT_FIRST_CASE,
	 .is = &modifier_lowerfirst},
	{.name = "upperfirst",
	 .on = TAKES_SET,
	 .slot = SLOT_FIRST_CASE,
	 .is = &modifier_upperfirst},
	{.name = "quotewildcard",
	 .on = TAKES_SET,
	 .slot = SLOT_QUOTE,
	 .is = &modifier_quotewildcard},
	{.name = "length", .on = TAKES_SET, .slot = SLOT_LENGTH, .is = &modifier_length},
};

const struct extension ext_variables = {.name = "variables",
					.definitions = definitions,
					.n_definitions = countof(definitions),
					.tags = tags,
					.n_tags = countof(tags)};
