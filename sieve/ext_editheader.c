/* SPDX-License-Identifier: ISC */
/* editheader (RFC 5293): addheader and deleteheader */
#include "sieve/extensions_int.h"

#include "mail/encoded_word.h"

#include <string.h>

enum { NAME_OCTETS = 200 };

/* ---- the header of this evaluation -------------------------------------------------------- */

/* own_header - a copy, so that the next recipient sees the message as it came */
static struct header *own_header(struct run *r)
{
	struct header *h = arena_alloc(r->arena, sizeof *h);

	*h = *r->header;
	/* With room for one more. */
	h->fields = arena_grow(r->arena, h->fields, h->n * sizeof *h->fields,
			       (h->n + 1) * sizeof *h->fields);
	run_spend(r, h->n);
	return h;
}

static struct sieve_edit *add_edit(struct run *r)
{
	struct sieve_result *x = r->result;

	x->edits = arena_push(r->arena, x->edits, &x->n_edits, sizeof *x->edits);
	return &x->edits[x->n_edits - 1];
}

static bool is_protected(const struct run *r, struct str name)
{
	for (const char *const *p = r->site->protected_fields; p != NULL && *p != NULL;
	     p++)
		if (str_ieq(str_of(*p), name))
			return true;
	return false;
}

/* ---- addheader ------------------------------------------------------------------------------- */

/* whole_field - "Name: value CRLF", encoded and folded */
static struct str whole_field(struct run *r, struct str name, struct str value)
{
	struct buf out;

	buf_init(&out, name.n + 8 * value.n + 100);
	buf_put(&out, name);
	buf_put(&out, STR(": "));
	encoded_word_encode(value, name.n + 2, &out);
	buf_put(&out, STR("\r\n"));
	return run_take(r, &out);
}

static void insert(struct run *r, const struct sieve_edit *e)
{
	struct header *h = own_header(r), parsed;
	struct str text = e->field;
	size_t at = e->kind == SIEVE_ADD_FIRST ? 0 : h->n;

	header_parse(&parsed, r->arena, &text, false);
	must(parsed.n == 1);
	memmove(h->fields + at + 1, h->fields + at, (h->n - at) * sizeof *h->fields);
	h->fields[at] = parsed.fields[0];
	h->n++;
	header_index(h);
	r->header = h;
}

static enum flow run_addheader(struct run *r, const struct node *n)
{
	struct str name = run_string(r, n, SLOT_NAMES);
	struct str value = run_one_line(r, run_string(r, n, SLOT_VALUE));
	struct sieve_edit *e;

	if (!header_is_name(name) || name.n > NAME_OCTETS)
		return run_fail(r, "addheader: '" STR_FMT "' is no name of a field",
				STR_ARG(name));
	if (is_protected(r, name))
		return FLOW_NEXT;
	if (r->header->n >= HEADER_FIELDS)
		return run_fail(r, "addheader: too many fields");
	e = add_edit(r);
	e->kind = node_has(n, SLOT_LAST) ? SIEVE_ADD_LAST : SIEVE_ADD_FIRST;
	e->name = name;
	e->value = value;
	e->field = whole_field(r, name, value);
	insert(r, e);
	return FLOW_NEXT;
}

/* ---- deleteheader ------------------------------------------------------------------------------- */

static bool must_stay(const struct run *r, struct str name)
{
	/* RFC 5293 section 5: what loops are found by */
	return str_ieq(name, STR("received")) || str_ieq(name, STR("auto-submitted")) ||
	       is_protected(r, name);
}

/* is_meant - by its value; without patterns each is */
static bool is_meant(struct run *r, const struct node *n, struct field *f)
{
	struct matching m;

	if (n->match == NULL)
		return true;
	matching_begin(&m, r, n->match);
	matching_value(&m, field_value(&r->message->arena, f));
	return matching_end(&m);
}

static uint64_t count(const struct header *h, struct str name)
{
	uint64_t n = 0;

	for (struct field *f = header_find(h, name, NULL); f != NULL;
	     f = header_find(h, name, f))
		n++;
	return n;
}

/* index_of - which one of its name :index means, from 1; 0: none, or all without it */
static uint64_t index_of(const struct header *h, const struct node *n, struct str name)
{
	uint64_t index = node_arg(n, SLOT_INDEX)->number, all = count(h, name);

	if (index > all)
		return 0;
	return node_has(n, SLOT_LAST) ? all + 1 - index : index;
}

/* RFC 5293 section 5: :count is of the fields that :index leaves */
static bool count_matches(struct run *r, const struct node *n, uint64_t fields)
{
	struct matching m;

	matching_begin(&m, r, n->match);
	for (uint64_t i = 0; i < fields; i++)
		matching_value(&m, (struct str){"", 0});
	return matching_end(&m);
}

static void delete_field(struct run *r, struct header *h, size_t i)
{
	struct sieve_edit *e = add_edit(r);

	e->kind = SIEVE_DELETE;
	e->name = h->fields[i].name;
	e->value = (struct str){"", 0};
	e->field = h->fields[i].whole;
}

/* sweep - keeps in *h what is not meant */
static void sweep(struct run *r, const struct node *n, struct header *h, struct str name)
{
	bool counts = n->match != NULL && n->match->type->counts;
	uint64_t wanted = node_has(n, SLOT_INDEX) ? index_of(h, n, name) : 0, number = 0;
	bool any = node_has(n, SLOT_INDEX), all;
	size_t kept = 0;

	all = !counts || count_matches(r, n, any ? wanted > 0 : count(h, name));
	for (size_t i = 0; i < h->n; i++) {
		struct field *f = &h->fields[i];
		bool meant = all && str_ieq(f->name, name) &&
			     (++number == wanted || !any) &&
			     (counts || is_meant(r, n, f));

		if (meant && !r->failed)
			delete_field(r, h, i);
		else
			h->fields[kept++] = *f;
	}
	h->n = kept;
}

static enum flow run_deleteheader(struct run *r, const struct node *n)
{
	struct str name = run_string(r, n, SLOT_NAMES);
	struct header *h;

	if (!header_is_name(name))
		return run_fail(r, "deleteheader: '" STR_FMT "' is no name of a field",
				STR_ARG(name));
	if (must_stay(r, name) || header_find(r->header, name, NULL) == NULL)
		return FLOW_NEXT;
	h = own_header(r);
	sweep(r, n, h, name);
	header_index(h);
	r->header = h;
	return FLOW_NEXT;
}

static bool check_name(struct checker *c, struct node *n)
{
	const struct str *name = checker_fixed(n, SLOT_NAMES);
	const struct arg *index = node_arg(n, SLOT_INDEX), *last = node_arg(n, SLOT_LAST);

	if (name != NULL && !header_is_name(*name))
		return checker_error(c, node_arg(n, SLOT_NAMES)->at,
				     "'" STR_FMT "' is no name of a field",
				     STR_ARG(*name));
	if (str_ieq(n->name, STR("addheader")))
		return true;
	if (index != NULL && index->number == 0)
		return checker_error(c, index->at, ":index counts from 1");
	return last == NULL || index != NULL ||
	       checker_error(c, last->at, ":last needs :index");
}

static const struct tag delete_tags[] = {
	{.name = "index", .slot = SLOT_INDEX, .value = VALUE_NUMBER},
	{.name = "last", .slot = SLOT_LAST},
};

static const struct definition definitions[] = {
	{.name = "addheader",
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES},
		    {.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .tags = delete_tags + 1,
	 .n_tags = 1,
	 .check = check_name,
	 .run = run_addheader},
	{.name = "deleteheader",
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS, .optional = true}},
	 .tags = delete_tags,
	 .n_tags = countof(delete_tags),
	 .check = check_name,
	 .run = run_deleteheader},
};

const struct extension ext_editheader = {.name = "editheader",
					 .definitions = definitions,
					 .n_definitions = countof(definitions)};
