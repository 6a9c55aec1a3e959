/* SPDX-License-Identifier: ISC */
#include "sieve/extensions_int.h"

#include "sieve/select_int.h"

bool select_check(struct checker *c, struct node *n)
{
	const struct arg *index = node_arg(n, SLOT_INDEX);
	const struct arg *last = node_arg(n, SLOT_LAST);
	const struct arg *needs_mime = node_arg(n, SLOT_ANYCHILD);

	if (index != NULL && index->number == 0)
		return checker_error(c, index->at, ":index counts from 1");
	if (last != NULL && index == NULL)
		return checker_error(c, last->at, ":last needs :index");
	if (needs_mime == NULL)
		needs_mime = node_arg(n, SLOT_MIME_OPTION);
	if (needs_mime != NULL && !node_has(n, SLOT_MIME))
		return checker_error(c, needs_mime->at, ":" STR_FMT " needs :mime",
				     STR_ARG(needs_mime->tag));
	return true;
}

/* ---- where ------------------------------------------------------------------------------ */

static const struct header *header_of(const struct run *r, const struct mime_part *part)
{
	return part == NULL || part->parent == NULL ? r->header : &part->header;
}

static const struct mime_part *first_part(struct run *r, const struct node *n)
{
	if (!node_has(n, SLOT_MIME))
		return NULL;
	return r->part ? r->part : message_root(r->message);
}

/* next_part - the one below or beside it; false: that was the last */
static bool next_part(const struct run *r, const struct node *n,
		      const struct mime_part **part)
{
	const struct mime_part *top = r->part ? r->part : r->message->root;

	if (*part == NULL || !node_has(n, SLOT_ANYCHILD))
		return false;
	*part = mime_next(*part, top);
	return *part != NULL;
}

bool select_exists(struct run *r, const struct node *n, struct str name)
{
	const struct mime_part *part = first_part(r, n);

	do {
		run_spend(r, 1);
		if (header_find(header_of(r, part), name, NULL) != NULL)
			return true;
	} while (next_part(r, n, &part));
	return false;
}

/* ---- which --------------------------------------------------------------------------------- */

void selection_begin(struct selection *s, struct run *r, const struct node *n)
{
	const struct arg *index = node_arg(n, SLOT_INDEX);

	*s = (struct selection){.run = r,
				.node = n,
				.names = run_strings(r, n, SLOT_NAMES),
				.index = index ? index->number : 0,
				.last = node_has(n, SLOT_LAST),
				.part = first_part(r, n),
				.params = run_strings(r, n, SLOT_MIME_OPTION)};
	s->param = s->params.n;
}

/* walk - to the field that is number `want` of all the names, in the order of the names;
 * NULL: there are only *n, or the evaluation has ended */
static struct field *walk(const struct selection *s, const struct header *h,
			  uint64_t want, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s->names.n; i++) {
		struct field *f = NULL;

		while ((f = header_find(h, s->names.list[i], f)) != NULL)
			if (++*n == want)
				return f;
		if (!run_spend(s->run, 1 + *n / 8))
			return NULL;
	}
	return NULL;
}

/* nth - the field that :index means (RFC 5260 section 6) */
static struct field *nth(const struct selection *s, const struct header *h)
{
	uint64_t n, want = s->index;

	if (s->last) {
		(void)walk(s, h, 0, &n);
		if (want > n)
			return NULL;
		want = n + 1 - want;
	}
	return walk(s, h, want, &n);
}

static struct field *in_part(struct selection *s)
{
	const struct header *h = header_of(s->run, s->part);

	if (s->index > 0) {
		s->field = s->field == NULL ? nth(s, h) : NULL;
		return s->field;
	}
	while (s->name < s->names.n) {
		s->field = header_find(h, s->names.list[s->name], s->field);
		if (s->field != NULL)
			return s->field;
		s->name++;
	}
	s->name = 0;
	return NULL;
}

struct field *selection_field(struct selection *s)
{
	struct field *f;

	do {
		if (!run_spend(s->run, 5))
			return NULL;
		f = in_part(s);
	} while (f == NULL && next_part(s->run, s->node, &s->part));
	return f;
}

/* ---- what is in it ------------------------------------------------------------------------------ */

/* type_piece - RFC 5703 section 4.1: of a field that has no type, and for the subtype of a
 * disposition, a blank string */
static bool type_piece(enum mime_option option, const struct field *f,
		       const struct content *c, struct str *value)
{
	struct str rest = c->value, type = str_cut(&rest, '/');

	*value = (struct str){"", 0};
	if (str_ieq(f->name, STR("content-disposition"))) {
		if (option != MIME_SUBTYPE)
			*value = c->value;
	} else if (str_ieq(f->name, STR("content-type"))) {
		*value = option == MIME_TYPE      ? type
			 : option == MIME_SUBTYPE ? rest
						  : c->value;
		return value->n > 0;
	}
	return true;
}

/* next_param - of this field; false: none of those names is left */
static bool next_param(struct selection *s, struct str *value)
{
	struct arena *a = s->run->arena;
	struct content c;

	if (s->param >= s->params.n)
		return false;
	content_parse(&c, a, field_raw(a, s->field));
	while (s->param < s->params.n)
		if (content_param(&c, a, s->params.list[s->param++], value))
			return true;
	return false;
}

static bool mime_value(struct selection *s, enum mime_option option, struct str *value)
{
	struct arena *a = s->run->arena;
	struct content c;

	if (option == MIME_PARAM) {
		s->param = 0;
		return next_param(s, value);
	}
	content_parse(&c, a, field_raw(a, s->field));
	return type_piece(option, s->field, &c, value);
}

bool selection_value(struct selection *s, struct str *value)
{
	const struct arg *option = node_arg(s->node, SLOT_MIME_OPTION);

	if (next_param(s, value))
		return true;
	for (struct field *f; (f = selection_field(s)) != NULL;) {
		run_spend(s->run, f->body.n / 8);
		if (option == NULL) {
			*value = field_value(&s->run->message->arena, f);
			return true;
		}
		if (mime_value(s, *(const enum mime_option *)option->is, value))
			return true;
	}
	return false;
}
