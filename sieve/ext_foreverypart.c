/* SPDX-License-Identifier: ISC */
/* foreverypart and break (RFC 5703 section 3), extracttext (section 7) */
#include "sieve/extensions_int.h"

#include "sieve/modify_int.h"

/* ---- foreverypart, break ------------------------------------------------------------------ */

/* is_ours - does a break of that name leave this loop?  Without a name it leaves the innermost. */
static bool is_ours(const struct run *r, const struct node *n)
{
	const struct str *name = checker_fixed(n, SLOT_HANDLE);

	return r->loop_name.n == 0 || (name != NULL && str_eq(*name, r->loop_name));
}

static enum flow run_foreverypart(struct run *r, const struct node *n)
{
	struct mime_part *around = r->part,
			 *top = around ? around : message_root(r->message);
	enum flow flow = FLOW_NEXT;

	/* Within a loop: the parts of the part, and not that one again. */
	for (struct mime_part *p = around ? around->child : top;
	     p != NULL && flow == FLOW_NEXT; p = mime_next(p, top)) {
		r->part = p;
		flow = run_spend(r, 1) ? run_block(r, n->block, n->n_block) : FLOW_FAIL;
	}
	r->part = around;
	if (flow == FLOW_BREAK && is_ours(r, n))
		flow = FLOW_NEXT;
	return flow;
}

static enum flow run_break(struct run *r, const struct node *n)
{
	r->loop_name = run_string(r, n, SLOT_HANDLE);
	return FLOW_BREAK;
}

static bool has_loop(const struct checker *c, const struct str *name)
{
	for (size_t i = 0; i < c->n_up; i++) {
		const struct str *of = checker_fixed(c->up[i], SLOT_HANDLE);

		if (str_ieq(c->up[i]->name, STR("foreverypart")) &&
		    (name == NULL || (of != NULL && str_eq(*of, *name))))
			return true;
	}
	return false;
}

static bool check_break(struct checker *c, struct node *n)
{
	return has_loop(c, checker_fixed(n, SLOT_HANDLE)) ||
	       checker_error(c, n->at, "'break' is not within such a 'foreverypart'");
}

static const struct tag name_tags[] = {
	{.name = "name", .slot = SLOT_HANDLE, .value = VALUE_STRING, .fixed = true},
};

static const struct definition loops[] = {
	{.name = "foreverypart",
	 .tags = name_tags,
	 .n_tags = countof(name_tags),
	 .block = true,
	 .run = run_foreverypart},
	{.name = "break",
	 .tags = name_tags,
	 .n_tags = countof(name_tags),
	 .check = check_break,
	 .run = run_break},
};

const struct extension ext_foreverypart = {
	.name = "foreverypart", .definitions = loops, .n_definitions = countof(loops)};

/* ---- extracttext ---------------------------------------------------------------------------------- */

static bool check_extracttext(struct checker *c, struct node *n)
{
	const struct text *name = &node_arg(n, SLOT_NAMES)->texts.list[0];
	uint32_t *index = arena_alloc(&c->script->arena, sizeof *index);

	n->data = index;
	if (!checker_has(c, &ext_variables))
		return checker_error(c, n->at,
				     "'extracttext' needs: require \"variables\"");
	if (!has_loop(c, NULL))
		return checker_error(c, n->at,
				     "'extracttext' is not within 'foreverypart'");
	return checker_variable(c, name->fixed, name->at, index);
}

/* first - so many characters */
static struct str first(const struct node *n, struct str s)
{
	const struct arg *a = node_arg(n, SLOT_LIMIT);
	size_t i = 0;

	if (a == NULL)
		return s;
	for (uint64_t left = a->number; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80 && left-- == 0)
			break;
	return (struct str){s.p, i};
}

static enum flow run_extracttext(struct run *r, const struct node *n)
{
	struct mime_part *p = r->part;
	struct str text = {"", 0};

	if (p != NULL && str_eq(p->type, STR("text"))) {
		struct buf out;

		if (!run_spend(r, 3 * p->text.n))
			return FLOW_FAIL;
		buf_init(&out, p->text.n * 4 + 16);
		mime_visible(p, &out);
		text = run_take(r, &out);
	}
	run_set(r, *(const uint32_t *)n->data, modify(r, n, first(n, text)));
	return FLOW_NEXT;
}

static const struct tag first_tags[] = {
	{.name = "first", .slot = SLOT_LIMIT, .value = VALUE_NUMBER},
};

static const struct definition extract[] = {
	{.name = "extracttext",
	 .takes = TAKES_SET,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES, .fixed = true}},
	 .tags = first_tags,
	 .n_tags = countof(first_tags),
	 .check = check_extracttext,
	 .run = run_extracttext},
};

const struct extension ext_extracttext = {
	.name = "extracttext", .definitions = extract, .n_definitions = countof(extract)};
