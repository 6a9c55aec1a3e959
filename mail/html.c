/* SPDX-License-Identifier: ISC */
#include "mail/html.h"

#include <string.h>

static void skip(struct str *s, size_t n)
{
	n = n < s->n ? n : s->n;
	*s = (struct str){s->p + n, s->n - n};
}

static void put(struct buf *out, char c)
{
	bool blank = ascii_is_blank(c);

	if (blank && (out->n == 0 || out->p[out->n - 1] == ' '))
		return;
	buf_putc(out, blank ? ' ' : c);
}

/* ---- marks --------------------------------------------------------------------------------- */

static bool is_one_of(struct str name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(name, str_of(list[i])))
			return true;
	return false;
}

/* A reader sees these within a line. */
static bool is_inline(struct str name)
{
	static const char *const names[] = {
		"a",   "abbr",  "b",    "big",    "code",  "em",     "font", "i",
		"s",   "small", "span", "strong", "sub",   "sup",    "tt",   "u",
		"wbr", "ins",   "del",  "mark",   "label", "strike", "cite", "bdi"};

	return is_one_of(name, names, countof(names));
}

/* What is in these is not for a reader. */
static bool is_hidden(struct str name)
{
	static const char *const names[] = {"script", "style", "title", "head"};

	return is_one_of(name, names, countof(names));
}

static struct str mark_name(struct str s)
{
	size_t n = 0;

	while (n < s.n && !ascii_is_blank(s.p[n]) && s.p[n] != '>' && s.p[n] != '/')
		n++;
	return (struct str){s.p, n};
}

/* skip_mark - behind the ">", with quotes respected */
static void skip_mark(struct str *s)
{
	char quote = '\0';

	while (s->n > 0) {
		char c = s->p[0];

		skip(s, 1);
		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '>')
			return;
	}
}

/* skip_hidden - behind "</name>", or all */
static void skip_hidden(struct str *s, struct str name)
{
	while (s->n > 0) {
		const char *at = memmem(s->p, s->n, "</", 2);

		if (at == NULL)
			break;
		skip(s, (size_t)(at - s->p) + 2);
		if (str_ieq(mark_name(*s), name)) {
			skip_mark(s);
			return;
		}
	}
	skip(s, s->n);
}

static void take_mark(struct str *s, struct buf *out)
{
	if (str_starts(*s, STR("<!--"))) {
		const char *end = memmem(s->p, s->n, "-->", 3);

		skip(s, end ? (size_t)(end - s->p) + 3 : s->n);
		return;
	}
	skip(s, 1);

	bool closing = s->n > 0 && s->p[0] == '/';

	if (closing)
		skip(s, 1);

	struct str name = mark_name(*s);

	skip_mark(s);
	if (!closing && is_hidden(name))
		skip_hidden(s, name);
	if (!is_inline(name))
		put(out, ' ');
}

/* ---- character references -------------------------------------------------------------------- */

static void put_point(struct buf *out, uint32_t c)
{
	if (c == 0xa0)
		put(out, ' ');
	else if (c < 0x80)
		put(out, c == 0 ? ' ' : (char)c);
	else {
		char p[4];
		size_t n = 0;

		if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			c = 0xfffd;
		if (c >= 0x10000)
			p[n++] = (char)(0xf0 | c >> 18);
		if (c >= 0x800)
			p[n++] = c >= 0x10000 ? (char)(0x80 | (c >> 12 & 0x3f))
					      : (char)(0xe0 | c >> 12);
		p[n++] = c >= 0x800 ? (char)(0x80 | (c >> 6 & 0x3f))
				    : (char)(0xc0 | c >> 6);
		p[n++] = (char)(0x80 | (c & 0x3f));
		buf_put(out, (struct str){p, n});
	}
}

static bool number_of(struct str s, uint32_t *c)
{
	uint64_t n;

	if (s.n > 1 && ascii_lower(s.p[0]) == 'x') {
		if (!str_hex64((struct str){s.p + 1, s.n - 1}, &n))
			return false;
	} else if (!str_u64(s, &n)) {
		return false;
	}
	*c = n > 0x10ffff ? 0xfffd : (uint32_t)n;
	return true;
}

/* reference - what stands between "&" and ";"; not more names than mail has use for */
static bool reference(struct str s, uint32_t *c)
{
	static const struct {
		const char *name;
		uint32_t c;
	} names[] = {
		{"amp", '&'},      {"lt", '<'},        {"gt", '>'},
		{"quot", '"'},     {"apos", '\''},     {"nbsp", 0xa0},
		{"auml", 0xe4},    {"ouml", 0xf6},     {"uuml", 0xfc},
		{"Auml", 0xc4},    {"Ouml", 0xd6},     {"Uuml", 0xdc},
		{"szlig", 0xdf},   {"eacute", 0xe9},   {"egrave", 0xe8},
		{"agrave", 0xe0},  {"ccedil", 0xe7},   {"ntilde", 0xf1},
		{"copy", 0xa9},    {"reg", 0xae},      {"euro", 0x20ac},
		{"pound", 0xa3},   {"yen", 0xa5},      {"ndash", 0x2013},
		{"mdash", 0x2014}, {"hellip", 0x2026}, {"lsquo", 0x2018},
		{"rsquo", 0x2019}, {"ldquo", 0x201c},  {"rdquo", 0x201d},
	};

	if (s.n > 1 && s.p[0] == '#')
		return number_of((struct str){s.p + 1, s.n - 1}, c);
	for (size_t i = 0; i < countof(names); i++)
		if (str_eq(s, str_of(names[i].name))) {
			*c = names[i].c;
			return true;
		}
	return false;
}

static void take_reference(struct str *s, struct buf *out)
{
	size_t near = s->n < 12 ? s->n : 12;
	const char *end = memchr(s->p, ';', near);
	uint32_t c;

	if (end != NULL &&
	    reference((struct str){s->p + 1, (size_t)(end - s->p) - 1}, &c)) {
		put_point(out, c);
		skip(s, (size_t)(end - s->p) + 1);
		return;
	}
	put(out, '&');
	skip(s, 1);
}

void html_text(struct str html, struct buf *out)
{
	while (html.n > 0 && !buf_over(out)) {
		if (html.p[0] == '<') {
			take_mark(&html, out);
		} else if (html.p[0] == '&') {
			take_reference(&html, out);
		} else {
			put(out, html.p[0]);
			skip(&html, 1);
		}
	}
}
