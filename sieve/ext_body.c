/* SPDX-License-Identifier: ISC */
/* body (RFC 5173): :raw, :content, and :text, which is the default */
#include "sieve/extensions_int.h"

/* ---- the text of a part -------------------------------------------------------------------- */

typedef void decode_fn(const struct mime_part *p, struct buf *out);

/* decoded - what comes of a part; in the message's memory, made once */
static struct str decoded(struct run *r, struct mime_part *p, struct str *kept,
			  decode_fn *how)
{
	struct buf out;

	if (kept->p != NULL)
		return *kept;
	/* A character set costs as much as three looks at the octets. */
	if (!run_spend(r, 3 * p->text.n))
		return (struct str){"", 0};
	/* An octet of some set becomes three at most. */
	buf_init(&out, p->text.n * 4 + 16);
	how(p, &out);
	*kept = arena_str(&r->message->arena, buf_str(&out));
	buf_fini(&out);
	return *kept;
}

static bool is_container(const struct mime_part *p)
{
	return str_eq(p->type, STR("multipart")) || p->child != NULL;
}

/* ---- :raw, :text, :content --------------------------------------------------------------------- */

static void match_raw(struct run *r, const struct node *n, struct matching *m)
{
	(void)n;
	matching_value(m, message_body(r->message));
}

static void match_text(struct run *r, const struct node *n, struct matching *m)
{
	(void)n;
	for (struct mime_part *p = message_root(r->message); p != NULL;
	     p = mime_next(p, r->message->root)) {
		if (!run_spend(r, 1) || is_container(p) || !str_eq(p->type, STR("text")))
			continue;
		if (matching_value(m, decoded(r, p, &p->visible, mime_visible)))
			return;
	}
}

/* is_of - "text" is all of text/..., "" is everything, "text/plain" is that */
static bool is_of(const struct mime_part *p, struct str wanted)
{
	struct str subtype = wanted, type = str_cut(&subtype, '/');
	bool has_slash = type.n < wanted.n;

	if (wanted.n == 0)
		return true;
	if (type.n == 0 || (has_slash && subtype.n == 0) ||
	    (subtype.n > 0 && subtype.p[0] == '/'))
		return false;
	return str_ieq(p->type, type) && (!has_slash || str_ieq(p->subtype, subtype));
}

static bool is_wanted(struct run *r, struct sieve_strings types,
		      const struct mime_part *p)
{
	run_spend(r, types.n);
	for (size_t i = 0; i < types.n; i++)
		if (is_of(p, types.list[i]))
			return true;
	return false;
}

/* RFC 5173 section 5.2: of a container what stands around its parts, of a message its header */
static bool match_part(struct run *r, struct mime_part *p, struct matching *m)
{
	if (str_eq(p->type, STR("multipart")))
		return matching_value(m, p->before) || matching_value(m, p->after);
	if (p->child != NULL)
		return matching_value(m, p->child->head);
	return matching_value(m, decoded(r, p, &p->decoded, mime_decode));
}

static void match_content(struct run *r, const struct node *n, struct matching *m)
{
	struct sieve_strings types = run_strings(r, n, SLOT_BODY);

	for (struct mime_part *p = message_root(r->message); p != NULL;
	     p = mime_next(p, r->message->root))
		if (!run_spend(r, 1) || (is_wanted(r, types, p) && match_part(r, p, m)))
			return;
}

/* A transform: gives the values of the test. */
struct transform {
	void (*match)(struct run *r, const struct node *n, struct matching *m);
};

static const struct transform raw = {match_raw}, text = {match_text},
			      content = {match_content};

static bool test_body(struct run *r, const struct node *n)
{
	const struct arg *a = node_arg(n, SLOT_BODY);
	const struct transform *t = a ? a->is : &text;
	/* RFC 5173 section 6: the test sets no ${1} */
	struct match match = *n->match;
	struct matching m;

	match.captures = false;
	matching_begin(&m, r, &match);
	t->match(r, n, &m);
	return matching_end(&m);
}

static const struct tag body_tags[] = {
	{.name = "raw", .slot = SLOT_BODY, .is = &raw},
	{.name = "text", .slot = SLOT_BODY, .is = &text},
	{.name = "content", .slot = SLOT_BODY, .value = VALUE_LIST, .is = &content},
};

static const struct definition definitions[] = {
	{.name = "body",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .tags = body_tags,
	 .n_tags = countof(body_tags),
	 .test = test_body},
};

const struct extension ext_body = {.name = "body",
				   .definitions = definitions,
				   .n_definitions = countof(definitions)};
