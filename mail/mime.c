/* SPDX-License-Identifier: ISC */
#include "mail/mime.h"

#include "lib/buf.h"
#include "mail/charset.h"
#include "mail/html.h"

#include <string.h>

struct parse {
	struct arena *arena;
	size_t parts;
};

bool mime_field(const struct mime_part *p, struct arena *a, struct str name,
		struct content *out)
{
	const struct field *f = header_find(&p->header, name, NULL);

	if (f == NULL)
		return false;
	content_parse(out, a, field_raw(a, f));
	return true;
}

/* describe - what the part's header says of its text */
static void describe(struct mime_part *p, struct arena *a)
{
	struct content c;

	p->type = STR("text");
	p->subtype = STR("plain");
	if (p->parent != NULL && str_eq(p->parent->subtype, STR("digest"))) {
		p->type = STR("message");
		p->subtype = STR("rfc822");
	}
	if (mime_field(p, a, STR("content-type"), &c)) {
		struct str rest = c.value, type = str_cut(&rest, '/');

		p->content = c;
		if (type.n > 0 && rest.n > 0) {
			p->type = type;
			p->subtype = rest;
		}
	}
	if (mime_field(p, a, STR("content-transfer-encoding"), &c))
		p->transfer = transfer_of(c.value);
}

/* ---- multipart ------------------------------------------------------------------------------ */

/* is_delimiter - the line begins with "--boundary"; *last: and "--" follows */
static bool is_delimiter(struct str s, struct str boundary, bool *last)
{
	size_t n = boundary.n + 2;

	if (s.n < n || s.p[0] != '-' || s.p[1] != '-' ||
	    memcmp(s.p + 2, boundary.p, boundary.n) != 0)
		return false;
	*last = s.n >= n + 2 && s.p[n] == '-' && s.p[n + 1] == '-';
	if (*last)
		return true;
	/* "--boundary2" is another one */
	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	return n == s.n || s.p[n] == '\r' || s.p[n] == '\n';
}

static struct str behind_line(struct str s)
{
	const char *lf = memchr(s.p, '\n', s.n);
	size_t n = lf ? (size_t)(lf - s.p) + 1 : s.n;

	return (struct str){s.p + n, s.n - n};
}

/* next_delimiter - the line that has it, within s; NULL: there is none */
static const char *next_delimiter(struct str s, struct str boundary, bool *last)
{
	while (s.n > 0) {
		if (is_delimiter(s, boundary, last))
			return s.p;
		s = behind_line(s);
	}
	return NULL;
}

/* without_end - the line end before a delimiter belongs to it */
static struct str without_end(struct str s)
{
	s.n -= s.n > 0 && s.p[s.n - 1] == '\n';
	s.n -= s.n > 0 && s.p[s.n - 1] == '\r';
	return s;
}

static void parse_text(struct parse *x, struct mime_part *p, size_t depth);

static struct mime_part **add_child(struct parse *x, struct mime_part *parent,
				    struct mime_part **link, struct str text,
				    size_t depth)
{
	struct mime_part *p = arena_alloc(x->arena, sizeof *p);

	x->parts++;
	p->parent = parent;
	p->head = text;
	header_parse(&p->header, x->arena, &text, false);
	p->head.n -= text.n;
	p->text = text;
	describe(p, x->arena);
	*link = p;
	parse_text(x, p, depth + 1);
	return &p->next;
}

static void parse_multipart(struct parse *x, struct mime_part *p, size_t depth)
{
	struct mime_part **link = &p->child;
	struct str boundary, rest = p->text;
	bool last = false;

	if (!content_param(&p->content, x->arena, STR("boundary"), &boundary) ||
	    boundary.n == 0)
		return;

	const char *at = next_delimiter(rest, boundary, &last);

	p->before = (struct str){rest.p, at ? (size_t)(at - rest.p) : rest.n};
	while (at != NULL && !last && x->parts < MIME_PARTS) {
		rest.n -= (size_t)(at - rest.p);
		rest = behind_line((struct str){at, rest.n});
		at = next_delimiter(rest, boundary, &last);

		struct str text = {rest.p, at ? (size_t)(at - rest.p) : rest.n};

		link = add_child(x, p, link, at ? without_end(text) : text, depth);
	}
	if (at != NULL && last)
		p->after = behind_line((struct str){at, rest.n - (size_t)(at - rest.p)});
}

static void parse_text(struct parse *x, struct mime_part *p, size_t depth)
{
	if (depth >= MIME_DEPTH || x->parts >= MIME_PARTS)
		return;
	if (str_eq(p->type, STR("multipart")))
		parse_multipart(x, p, depth);
	else if (str_eq(p->type, STR("message")) && p->transfer == TRANSFER_NONE &&
		 (str_eq(p->subtype, STR("rfc822")) || str_eq(p->subtype, STR("global"))))
		add_child(x, p, &p->child, p->text, depth);
}

struct mime_part *mime_parse(struct arena *a, const struct header *header,
			     struct str body)
{
	struct mime_part *p = arena_alloc(a, sizeof *p);
	struct parse x = {a, 1};

	p->header = *header;
	p->text = body;
	describe(p, a);
	parse_text(&x, p, 0);
	return p;
}

struct mime_part *mime_next(const struct mime_part *p, const struct mime_part *top)
{
	if (p->child != NULL)
		return p->child;
	while (p != top && p->next == NULL)
		p = p->parent;
	return p == top ? NULL : p->next;
}

/* ---- text -------------------------------------------------------------------------------------- */

void mime_decode(const struct mime_part *p, struct buf *out)
{
	struct buf octets;
	struct arena a;
	struct str charset = {0};

	if (!str_eq(p->type, STR("text"))) {
		transfer_decode(p->transfer, p->text, out);
		return;
	}
	arena_init(&a, SIZE_MAX);
	(void)content_param(&p->content, &a, STR("charset"), &charset);
	if (p->transfer == TRANSFER_NONE) {
		charset_decode(charset, p->text, out);
	} else {
		buf_init(&octets, p->text.n);
		transfer_decode(p->transfer, p->text, &octets);
		charset_decode(charset, buf_str(&octets), out);
		buf_fini(&octets);
	}
	arena_fini(&a);
}

void mime_visible(const struct mime_part *p, struct buf *out)
{
	struct buf html;

	if (!str_eq(p->type, STR("text")) || !str_eq(p->subtype, STR("html"))) {
		mime_decode(p, out);
		return;
	}
	buf_init(&html, out->max);
	mime_decode(p, &html);
	html_text(buf_str(&html), out);
	buf_fini(&html);
}
