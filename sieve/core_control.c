/* SPDX-License-Identifier: ISC */
/* RFC 5228 section 3: require, if, elsif, else, stop */
#include "sieve/extensions_int.h"

/* ---- require --------------------------------------------------------------------------- */

static bool check_require(struct checker *c, struct node *n)
{
	const struct texts *names = &node_arg(n, SLOT_NAMES)->texts;
	bool ok = true;

	if (c->n_up > 0 || (c->last != NULL && !str_ieq(c->last->name, STR("require"))))
		return checker_error(c, n->at,
				     "'require' has to stand before all other "
				     "commands");
	for (size_t i = 0; i < names->n; i++)
		if (!checker_require(c, names->list[i].fixed, names->list[i].at))
			ok = checker_error(c, names->list[i].at,
					   "there is no extension \"" STR_FMT "\" here",
					   STR_ARG(names->list[i].fixed));
	return ok;
}

static enum flow run_nothing(struct run *r, const struct node *n)
{
	(void)r;
	(void)n;
	return FLOW_NEXT;
}

/* ---- if ------------------------------------------------------------------------------------ */

static bool check_if(struct checker *c, struct node *n)
{
	enum truth t = checker_truth(c, &n->tests[0]);

	c->chain = t;
	if (t == TRUTH_FALSE)
		n->n_block = 0;
	return true;
}

static bool follows_if(const struct checker *c)
{
	return c->last != NULL && (str_ieq(c->last->name, STR("if")) ||
				   str_ieq(c->last->name, STR("elsif")));
}

/* reaches_if - false behind an "if" that is known to be true */
static bool reaches_else(struct checker *c, const struct node *n)
{
	(void)n;
	return !follows_if(c) || c->chain != TRUTH_TRUE;
}

static bool check_elsif(struct checker *c, struct node *n)
{
	if (!follows_if(c))
		return checker_error(c, n->at,
				     "'" STR_FMT "' has to follow 'if' or 'elsif'",
				     STR_ARG(n->name));
	return n->n_tests == 0 || check_if(c, n);
}

static enum flow run_if(struct run *r, const struct node *n)
{
	bool yes = run_test(r, &n->tests[0]);
	enum flow flow = yes ? run_block(r, n->block, n->n_block) : FLOW_NEXT;

	r->branch = yes;
	return flow;
}

static enum flow run_elsif(struct run *r, const struct node *n)
{
	return r->branch ? FLOW_NEXT : run_if(r, n);
}

static enum flow run_else(struct run *r, const struct node *n)
{
	return r->branch ? FLOW_NEXT : run_block(r, n->block, n->n_block);
}

/* ---- stop ------------------------------------------------------------------------------------ */

static enum flow run_stop(struct run *r, const struct node *n)
{
	(void)r;
	(void)n;
	return FLOW_STOP;
}

static const struct definition definitions[] = {
	{.name = "require",
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES, .fixed = true}},
	 .check = check_require,
	 .run = run_nothing},
	{.name = "if",
	 .tests = TESTS_ONE,
	 .block = true,
	 .check = check_if,
	 .run = run_if},
	{.name = "elsif",
	 .tests = TESTS_ONE,
	 .block = true,
	 .reaches = reaches_else,
	 .check = check_elsif,
	 .run = run_elsif},
	{.name = "else",
	 .block = true,
	 .reaches = reaches_else,
	 .check = check_elsif,
	 .run = run_else},
	{.name = "stop", .run = run_stop},
};

const struct extension core_control = {.always = true,
				       .definitions = definitions,
				       .n_definitions = countof(definitions)};
