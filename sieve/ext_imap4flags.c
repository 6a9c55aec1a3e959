/* SPDX-License-Identifier: ISC */
/* imap4flags (RFC 5232): setflag, addflag, removeflag, the test hasflag, and :flags */
#include "sieve/extensions_int.h"

#include "sieve/flags_int.h"

/* Flags stand in the variables of SLOT_NAMES, or in the script's own. */
static bool check_flags(struct checker *c, struct node *n)
{
	const struct arg *a = node_arg(n, SLOT_NAMES);
	uint32_t *list;

	if (a == NULL)
		return true;
	if (!checker_has(c, &ext_variables))
		return checker_error(c, a->at, "a variable needs: require \"variables\"");
	list = arena_alloc(&c->script->arena, a->texts.n * sizeof *list);
	n->data = list;
	for (size_t i = 0; i < a->texts.n; i++)
		if (!checker_variable(c, a->texts.list[i].fixed, a->texts.list[i].at,
				      &list[i]))
			return false;
	return true;
}

static struct sieve_strings flags_of(struct run *r, const struct node *n)
{
	const uint32_t *variable = n->data;
	struct sieve_strings one;

	if (variable == NULL)
		return r->flags;
	one = (struct sieve_strings){run_variable(r, *variable), 1};
	return flags_split(r, one);
}

static enum flow set_flags(struct run *r, const struct node *n,
			   struct sieve_strings flags)
{
	const uint32_t *variable = n->data;

	if (variable != NULL) {
		run_set(r, *variable, flags_join(r, flags));
		return FLOW_NEXT;
	}
	r->flags = flags;
	r->has_flags = true;
	return FLOW_NEXT;
}

static struct sieve_strings given(struct run *r, const struct node *n)
{
	return flags_split(r, run_strings(r, n, SLOT_VALUE));
}

static enum flow run_setflag(struct run *r, const struct node *n)
{
	return set_flags(r, n, given(r, n));
}

static enum flow run_addflag(struct run *r, const struct node *n)
{
	return set_flags(r, n, flags_with(r, flags_of(r, n), given(r, n)));
}

static enum flow run_removeflag(struct run *r, const struct node *n)
{
	return set_flags(r, n, flags_without(r, flags_of(r, n), given(r, n)));
}

/* all_flags - of each variable, or of the script */
static struct sieve_strings all_flags(struct run *r, const struct node *n)
{
	const struct arg *a = node_arg(n, SLOT_NAMES);
	const uint32_t *list = n->data;
	struct str *values;

	if (a == NULL)
		return r->flags;
	values = arena_alloc(r->arena, a->texts.n * sizeof *values);
	for (size_t i = 0; i < a->texts.n; i++)
		values[i] = *run_variable(r, list[i]);
	return flags_split(r, (struct sieve_strings){values, a->texts.n});
}

/* has_one - RFC 5232 section 4: a key of :is may name several flags as well */
static bool has_one(struct run *r, const struct texts *keys, struct sieve_strings flags)
{
	for (size_t i = 0; i < keys->n; i++) {
		struct str key = run_text(r, &keys->list[i]);
		struct sieve_strings some =
			flags_split(r, (struct sieve_strings){&key, 1});

		for (size_t k = 0; k < some.n; k++)
			if (flags_have(flags, some.list[k]))
				return true;
	}
	return false;
}

static bool test_hasflag(struct run *r, const struct node *n)
{
	struct sieve_strings flags = all_flags(r, n);
	struct matching m;

	if (n->match->type == &match_is)
		return has_one(r, n->match->keys, flags);
	matching_begin(&m, r, n->match);
	for (size_t i = 0; i < flags.n; i++)
		if (matching_value(&m, flags.list[i]))
			break;
	return matching_end(&m);
}

/* CHANGE - a command: the flags, and before them the variable that they are kept in */
#define CHANGE(NAME, RUN)                                             \
	{                                                             \
		.name = NAME,                                         \
		.params = {{.kind = VALUE_STRING,                     \
			    .slot = SLOT_NAMES,                       \
			    .fixed = true,                            \
			    .optional = true},                        \
			   {.kind = VALUE_LIST, .slot = SLOT_VALUE}}, \
		.check = check_flags, .run = RUN                      \
	}

static const struct definition definitions[] = {
	CHANGE("setflag", run_setflag),
	CHANGE("addflag", run_addflag),
	CHANGE("removeflag", run_removeflag),
	{.name = "hasflag",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_LIST,
		     .slot = SLOT_NAMES,
		     .fixed = true,
		     .optional = true},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .check = check_flags,
	 .test = test_hasflag},
};

static const struct tag tags[] = {
	{.name = "flags",
	 .on = TAKES_FLAGS | TAKES_FCC,
	 .slot = SLOT_FLAGS,
	 .value = VALUE_LIST},
};

const struct extension ext_imap4flags = {.name = "imap4flags",
					 .definitions = definitions,
					 .n_definitions = countof(definitions),
					 .tags = tags,
					 .n_tags = countof(tags)};
