/* SPDX-License-Identifier: ISC */
/* ihave and error (RFC 5463) */
#include "sieve/extensions_int.h"

static bool has_all(const struct checker *c, const struct node *n)
{
	const struct texts *names = &node_arg(n, SLOT_NAMES)->texts;

	for (size_t i = 0; i < names->n; i++)
		if (registry_find(c->site, names->list[i].fixed) < 0)
			return false;
	return true;
}

/* What is there is on from here, as if it had been required. */
static bool check_ihave(struct checker *c, struct node *n)
{
	const struct texts *names = &node_arg(n, SLOT_NAMES)->texts;
	bool *yes = arena_alloc(&c->script->arena, sizeof *yes);

	n->data = yes;
	*yes = has_all(c, n);
	for (size_t i = 0; i < names->n && *yes; i++)
		if (!checker_enable(c, names->list[i].fixed))
			return false;
	return true;
}

static enum truth truth_ihave(struct checker *c, const struct node *n)
{
	return has_all(c, n) ? TRUTH_TRUE : TRUTH_FALSE;
}

static bool test_ihave(struct run *r, const struct node *n)
{
	(void)r;
	return *(const bool *)n->data;
}

static enum flow run_error(struct run *r, const struct node *n)
{
	struct str text = run_string(r, n, SLOT_VALUE);

	return run_fail(r, "error: " STR_FMT, STR_ARG(text));
}

static const struct definition definitions[] = {
	{.name = "ihave",
	 .kind = TEST,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES, .fixed = true}},
	 .check = check_ihave,
	 .test = test_ihave,
	 .truth = truth_ihave},
	{.name = "error",
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .run = run_error},
};

const struct extension ext_ihave = {.name = "ihave",
				    .definitions = definitions,
				    .n_definitions = countof(definitions)};
