/* SPDX-License-Identifier: ISC */
#include "mail/address_list.h"

#include "lib/buf.h"

#include <string.h>

struct parse {
	struct arena *arena;
	struct str rest;
	struct address_list *out;
	struct buf *words; /* what may turn out to be a local part, unquoted */
};

static char peek(const struct parse *p)
{
	return p->rest.n > 0 ? p->rest.p[0] : '\0';
}

static void skip(struct parse *p, size_t n)
{
	p->rest = (struct str){p->rest.p + n, p->rest.n - n};
}

/* skip_comment - a comment may hold comments and quoted octets */
static void skip_comment(struct parse *p)
{
	size_t depth = 0;

	while (p->rest.n > 0) {
		char c = peek(p);

		skip(p, c == '\\' && p->rest.n > 1 ? 2 : 1);
		if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return;
	}
}

static void skip_blanks(struct parse *p)
{
	while (p->rest.n > 0) {
		if (ascii_is_blank(peek(p)))
			skip(p, 1);
		else if (peek(p) == '(')
			skip_comment(p);
		else
			return;
	}
}

static void take_quoted(struct parse *p, struct buf *out)
{
	skip(p, 1);
	while (p->rest.n > 0 && peek(p) != '"') {
		if (peek(p) == '\\' && p->rest.n > 1)
			skip(p, 1);
		buf_putc(out, peek(p));
		skip(p, 1);
	}
	if (p->rest.n > 0)
		skip(p, 1);
}

static bool is_special(char c)
{
	return c == '\0' || strchr("()<>[]:;@\\,\"", c) != NULL || ascii_is_blank(c);
}

/* take_atom - the octet that is there and those up to the next special */
static void take_atom(struct parse *p, struct buf *out)
{
	do {
		buf_putc(out, peek(p));
		skip(p, 1);
	} while (p->rest.n > 0 && !is_special(peek(p)));
}

static bool begins_atom(const struct parse *p)
{
	return p->rest.n > 0 &&
	       (!is_special(peek(p)) || peek(p) == '\0' || peek(p) == '\\');
}

/* take_words - atoms, dots and quoted strings; how many were parted by blanks */
static size_t take_words(struct parse *p, struct buf *out)
{
	for (size_t n = 0;;) {
		const char *before = p->rest.p;
		bool dot = out->n > 0 && out->p[out->n - 1] == '.';

		skip_blanks(p);
		if (n == 0 || (p->rest.p != before && !dot && peek(p) != '.'))
			n += peek(p) == '"' || begins_atom(p);
		if (peek(p) == '"')
			take_quoted(p, out);
		else if (begins_atom(p))
			take_atom(p, out);
		else
			return n;
	}
}

/* take_domain - atoms and dots, or a literal in brackets */
static struct str take_domain(struct parse *p)
{
	struct buf out;

	skip_blanks(p);
	buf_init(&out, p->rest.n);
	if (peek(p) == '[') {
		while (p->rest.n > 0 && (out.n == 0 || out.p[out.n - 1] != ']')) {
			if (!ascii_is_blank(peek(p)))
				buf_putc(&out, peek(p));
			skip(p, 1);
		}
	} else if (peek(p) != '"' && take_words(p, &out) != 1) {
		buf_clear(&out);
	}

	struct str domain = arena_str(p->arena, buf_str(&out));

	buf_fini(&out);
	return domain;
}

static void add(struct parse *p, struct str local, struct str domain)
{
	struct address_list *l = p->out;

	if (local.n == 0 || domain.n == 0)
		return;

	char *all = arena_alloc(p->arena, local.n + domain.n + 1);

	memcpy(all, local.p, local.n);
	all[local.n] = '@';
	memcpy(all + local.n + 1, domain.p, domain.n);
	l->list = arena_push(p->arena, l->list, &l->n, sizeof *l->list);
	l->list[l->n - 1] = (struct mailbox){{all, local.n},
					     {all + local.n + 1, domain.n},
					     {all, local.n + domain.n + 1}};
}

/* skip_route - "@a,@b:" before an address in brackets */
static void skip_route(struct parse *p)
{
	skip_blanks(p);
	if (peek(p) != '@')
		return;
	while (p->rest.n > 0 && peek(p) != ':' && peek(p) != '>')
		skip(p, 1);
	if (peek(p) == ':')
		skip(p, 1);
}

/* take_bracketed - <local@domain> */
static void take_bracketed(struct parse *p)
{
	skip(p, 1);
	skip_route(p);
	buf_clear(p->words);

	size_t n = take_words(p, p->words);

	if (n == 1 && peek(p) == '@') {
		skip(p, 1);

		struct str domain = take_domain(p);

		skip_blanks(p);
		if (peek(p) == '>')
			add(p, buf_str(p->words), domain);
	}
	while (p->rest.n > 0 && peek(p) != '>' && peek(p) != ',')
		skip(p, 1);
	if (peek(p) == '>')
		skip(p, 1);
}

/* at_end - of an address without brackets; "a@b <c@d>" is one with a name */
static bool at_end(const struct parse *p)
{
	return p->rest.n == 0 || peek(p) == ',' || peek(p) == ';';
}

/* take_one - an address, the name of a group, or a separator */
static void take_one(struct parse *p)
{
	size_t n;

	buf_clear(p->words);
	n = take_words(p, p->words);
	if (peek(p) == '<') {
		take_bracketed(p);
	} else if (peek(p) == '@') {
		skip(p, 1);

		struct str domain = take_domain(p);

		skip_blanks(p);
		if (n == 1 && at_end(p))
			add(p, buf_str(p->words), domain);
	} else if (p->rest.n > 0) {
		skip(p, 1);
	}
}

const struct address_list *address_list_parse(struct arena *a, struct str text)
{
	struct address_list *out = arena_alloc(a, sizeof *out);
	struct buf words;
	struct parse p = {a, text, out, &words};

	buf_init(&words, text.n);
	while (p.rest.n > 0 && out->n < ADDRESS_LIST_MAX)
		take_one(&p);
	buf_fini(&words);
	return out;
}
