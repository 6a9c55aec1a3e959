/* SPDX-License-Identifier: ISC */
/* include (RFC 6609): other scripts, return, and variables that all of them share */
#include "sieve/extensions_int.h"

enum { SCRIPT_NAME_OCTETS = 128 };

static const enum sieve_place personal = SIEVE_PERSONAL, global = SIEVE_GLOBAL;

/* A name, and never a path. */
static bool is_script_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '/')
			return false;
	return s.n > 0 && s.n <= SCRIPT_NAME_OCTETS && s.p[0] != '.' &&
	       !str_has_control(s);
}

static bool check_include(struct checker *c, struct node *n)
{
	const struct str *name = checker_fixed(n, SLOT_NAMES);

	return (name != NULL && is_script_name(*name)) ||
	       checker_error(c, n->at, "that is no name of a script");
}

/* is_around - the script is being evaluated already: it includes itself */
static bool is_around(const struct run *r, const struct sieve_script *s)
{
	for (const struct frame *f = r->frame; f != NULL; f = f->up)
		if (f->script == s)
			return true;
	return false;
}

static bool was_included(const struct run *r, const struct sieve_script *s)
{
	for (size_t i = 0; i < r->n_once; i++)
		if (r->once[i] == s)
			return true;
	return false;
}

static const struct sieve_script *find(struct run *r, const struct node *n,
				       struct str name)
{
	const struct sieve_host *h = r->in->host;
	const struct arg *a = node_arg(n, SLOT_LOCATION);
	enum sieve_place where = a ? *(const enum sieve_place *)a->is : SIEVE_PERSONAL;

	return h->include ? h->include(h->ctx, where, name) : NULL;
}

static enum flow enter(struct run *r, const struct sieve_script *s, struct str name)
{
	struct place at = r->at;
	enum flow flow;

	if (is_around(r, s))
		return run_fail(r, "include: '" STR_FMT "' includes itself",
				STR_ARG(name));
	if (r->frame->depth >= r->site->limits.include_depth)
		return run_fail(r, "include: too deep");
	if (++r->includes > r->site->limits.includes)
		return run_fail(r, "include: too many");
	r->once = arena_push(r->arena, r->once, &r->n_once, sizeof *r->once);
	r->once[r->n_once - 1] = s;
	flow = run_script(r, s);
	r->at = at;
	return flow == FLOW_RETURN ? FLOW_NEXT : flow;
}

static enum flow run_include(struct run *r, const struct node *n)
{
	struct str name = run_string(r, n, SLOT_NAMES);
	const struct sieve_script *s = find(r, n, name);

	if (s == NULL && node_has(n, SLOT_OPTIONAL))
		return FLOW_NEXT;
	if (s == NULL)
		return run_fail(r, "include: there is no script '" STR_FMT "'",
				STR_ARG(name));
	if (node_has(n, SLOT_ONCE) && was_included(r, s))
		return FLOW_NEXT;
	return enter(r, s, name);
}

static enum flow run_return(struct run *r, const struct node *n)
{
	(void)r;
	(void)n;
	return FLOW_RETURN;
}

/* ---- global -------------------------------------------------------------------------------- */

static bool check_global(struct checker *c, struct node *n)
{
	const struct texts *names = &node_arg(n, SLOT_NAMES)->texts;
	struct sieve_script *s = c->script;

	if (!checker_has(c, &ext_variables))
		return checker_error(c, n->at, "'global' needs: require \"variables\"");
	for (size_t i = 0; i < names->n; i++) {
		size_t known = s->n_variables;
		uint32_t index;

		if (!checker_variable(c, names->list[i].fixed, names->list[i].at, &index))
			return false;
		if (index < known && !s->variables[index].global)
			return checker_error(c, names->list[i].at,
					     "'" STR_FMT
					     "' was used before it became global",
					     STR_ARG(names->list[i].fixed));
		s->variables[index].global = true;
	}
	return true;
}

static enum flow run_global_command(struct run *r, const struct node *n)
{
	(void)r;
	(void)n;
	return FLOW_NEXT;
}

static const struct tag include_tags[] = {
	{.name = "personal", .slot = SLOT_LOCATION, .is = &personal},
	{.name = "global", .slot = SLOT_LOCATION, .is = &global},
	{.name = "once", .slot = SLOT_ONCE},
	{.name = "optional", .slot = SLOT_OPTIONAL},
};

static const struct definition definitions[] = {
	{.name = "include",
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES, .fixed = true}},
	 .tags = include_tags,
	 .n_tags = countof(include_tags),
	 .check = check_include,
	 .run = run_include},
	{.name = "return", .run = run_return},
	{.name = "global",
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES, .fixed = true}},
	 .check = check_global,
	 .run = run_global_command},
};

const struct extension ext_include = {.name = "include",
				      .definitions = definitions,
				      .n_definitions = countof(definitions)};
