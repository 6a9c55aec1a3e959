/* SPDX-License-Identifier: ISC */
#include "mail/content.h"

#include "lib/buf.h"
#include "mail/charset.h"

#include <string.h>

/* ---- taking it apart --------------------------------------------------------------------- */

static void skip(struct str *s, size_t n)
{
	*s = (struct str){s->p + n, s->n - n};
}

static void skip_comment(struct str *s)
{
	for (size_t depth = 0; s->n > 0;) {
		char c = s->p[0];

		skip(s, c == '\\' && s->n > 1 ? 2 : 1);
		depth += c == '(';
		if (c == ')' && --depth == 0)
			return;
	}
}

static void take_quoted(struct str *s, struct buf *out)
{
	skip(s, 1);
	while (s->n > 0 && s->p[0] != '"') {
		if (s->p[0] == '\\' && s->n > 1)
			skip(s, 1);
		buf_putc(out, s->p[0]);
		skip(s, 1);
	}
	if (s->n > 0)
		skip(s, 1);
}

/* take_until - up to `stop` or ";", without blanks and comments, quotes undone */
static struct str take_until(struct str *s, char stop, struct arena *a, struct buf *tmp)
{
	buf_clear(tmp);
	while (s->n > 0 && s->p[0] != stop && s->p[0] != ';') {
		if (s->p[0] == '(') {
			skip_comment(s);
		} else if (s->p[0] == '"') {
			take_quoted(s, tmp);
		} else {
			if (!ascii_is_blank(s->p[0]))
				buf_putc(tmp, s->p[0]);
			skip(s, 1);
		}
	}
	return arena_str(a, buf_str(tmp));
}

static struct str lower(struct str s)
{
	char *p = (char *)(uintptr_t)s.p;

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(p[i]);
	return s;
}

void content_parse(struct content *c, struct arena *a, struct str text)
{
	struct buf tmp;

	*c = (struct content){0};
	buf_init(&tmp, text.n);
	c->value = lower(take_until(&text, ';', a, &tmp));
	while (text.n > 0 && c->n < CONTENT_PARAMS) {
		struct content_param p = {0};

		skip(&text, 1);
		p.name = lower(take_until(&text, '=', a, &tmp));
		if (text.n == 0 || text.p[0] != '=')
			continue;
		skip(&text, 1);
		p.value = take_until(&text, ';', a, &tmp);
		c->params = arena_push(a, c->params, &c->n, sizeof p);
		c->params[c->n - 1] = p;
	}
	buf_fini(&tmp);
}

/* ---- RFC 2231 ------------------------------------------------------------------------------- */

static const struct content_param *find(const struct content *c, struct str base,
					const char *mark)
{
	for (size_t i = 0; i < c->n; i++) {
		struct str name = c->params[i].name;

		if (str_istarts(name, base) &&
		    str_eq((struct str){name.p + base.n, name.n - base.n}, str_of(mark)))
			return &c->params[i];
	}
	return NULL;
}

static int digit16(char c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_percent(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		int hi = s.p[i] == '%' && i + 2 < s.n ? digit16(s.p[i + 1]) : -1;
		int lo = hi >= 0 ? digit16(s.p[i + 2]) : -1;

		if (lo >= 0)
			i += 2;
		buf_putc(out, (char)(lo >= 0 ? hi << 4 | lo : s.p[i]));
	}
}

/* put_piece - *charset is taken off the first one that is encoded */
static void put_piece(struct str value, bool encoded, bool first, struct str *charset,
		      struct buf *out)
{
	if (encoded && first) {
		*charset = str_cut(&value, '\'');
		(void)str_cut(&value, '\'');
	}
	if (encoded)
		put_percent(value, out);
	else
		buf_put(out, value);
}

/* put_pieces - name*0, name*1* ...; false: there are none */
static bool put_pieces(const struct content *c, struct str name, struct str *charset,
		       struct buf *out)
{
	size_t i = 0;

	for (; i < CONTENT_PARAMS; i++) {
		struct buf mark;
		const struct content_param *p, *encoded;

		buf_init(&mark, 16);
		buf_printf(&mark, "*%zu*", i);
		encoded = find(c, name, buf_cstr(&mark));
		buf_cut(&mark, mark.n - 1);
		p = encoded ? encoded : find(c, name, buf_cstr(&mark));
		buf_fini(&mark);
		if (p == NULL)
			break;
		put_piece(p->value, encoded != NULL, i == 0, charset, out);
	}
	return i > 0;
}

bool content_param(const struct content *c, struct arena *a, struct str name,
		   struct str *value)
{
	const struct content_param *p = find(c, name, "");
	struct str charset = {0};
	struct buf octets, text;
	size_t all = 0;
	bool found = true;

	if (p != NULL) {
		*value = p->value;
		return true;
	}
	for (size_t i = 0; i < c->n; i++)
		all += c->params[i].value.n;
	buf_init(&octets, all);
	if ((p = find(c, name, "*")) != NULL)
		put_piece(p->value, true, true, &charset, &octets);
	else
		found = put_pieces(c, name, &charset, &octets);
	buf_init(&text, octets.n * 4 + 16);
	charset_decode(charset, buf_str(&octets), &text);
	if (found)
		*value = arena_str(a, buf_str(&text));
	buf_fini(&text);
	buf_fini(&octets);
	return found;
}
