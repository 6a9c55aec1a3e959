/* SPDX-License-Identifier: ISC */
#include "mail/address.h"

#include <string.h>

/* Bytes gathered for one field: the text goes on being parsed past the limit,
 * so that "too long" is said of addresses only, never of rubbish. */
struct field {
	char *p;
	size_t n, max;
};

static void field_put(struct field *f, char c)
{
	if (f->n < f->max)
		f->p[f->n] = c;
	f->n++;
}

/* field_end - false when it was too long */
static bool field_end(struct field *f)
{
	f->p[f->n <= f->max ? f->n : 0] = '\0';
	return f->n <= f->max;
}

static bool is_high(char c)
{
	return (unsigned char)c > 0x7f;
}

static bool is_alnum(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 5321 s4.1.2, RFC 6531 s3.3: an Atom's octets */
static bool is_atext(char c)
{
	return is_alnum(c) || is_high(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Underscore is no letter of a host name, but some domains have it. */
static bool is_domain_octet(char c)
{
	return is_alnum(c) || is_high(c) || c == '-' || c == '_';
}

static bool take(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

/* has_control - C0, DEL, and the C1 characters that UTF-8 can carry (some
 * terminals obey them, and U+0085 is a line end to some readers) */
static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static enum address_result check_octets(struct str s, bool utf8)
{
	if (has_control(s) || !str_is_utf8(s))
		return ADDRESS_BAD;
	for (size_t i = 0; i < s.n && !utf8; i++)
		if (is_high(s.p[i]))
			return ADDRESS_NEEDS_UTF8;
	return ADDRESS_OK;
}

/* labels - "example.org" or "example.org.", off the front of *s */
static bool labels(struct str *s, struct field *out)
{
	size_t in_label = 0;

	for (; s->n > 0; s->p++, s->n--) {
		char c = s->p[0];

		if (c == '.' && in_label > 0)
			in_label = 0;
		else if (is_domain_octet(c))
			in_label++;
		else
			break;
		field_put(out, ascii_lower(c));
	}
	if (in_label == 0 && out->n > 0 && (s->n == 0 || s->p[0] != '.'))
		out->n--; /* the root's dot: the same domain without it */
	else if (in_label == 0)
		return false;
	return out->n > 0;
}

/* literal - "[192.0.2.1]", "[IPv6:::1]"; RFC 5321 allows nearly any octet in
 * here, but none of the literals that exist needs more than these */
static bool literal(struct str *s, struct field *out)
{
	field_put(out, '[');
	while (s->n > 0 && (is_alnum(s->p[0]) || s->p[0] == '.' || s->p[0] == ':' ||
			    s->p[0] == '-')) {
		field_put(out, ascii_lower(s->p[0]));
		s->p++;
		s->n--;
	}
	field_put(out, ']');
	return out->n > 2 && take(s, ']');
}

static bool domain(struct str *s, struct field *out)
{
	return take(s, '[') ? literal(s, out) : labels(s, out);
}

/* route - "@one,@two:", RFC 5321 s4.1.2 A-d-l; what it names is dropped */
static bool route(struct str *s)
{
	do {
		char unused[1];
		struct field host = {.p = unused};

		if (!take(s, '@') || !domain(s, &host))
			return false;
	} while (take(s, ','));
	return take(s, ':');
}

/* quoted - up to and including the closing quote */
static bool quoted(struct str *s, struct field *out)
{
	while (!take(s, '"')) {
		take(s, '\\');
		if (s->n == 0)
			return false;
		field_put(out, s->p[0]);
		s->p++;
		s->n--;
	}
	return out->n > 0;
}

/* dots - a dot-string, but with dots anywhere: telephone companies gave out
 * "a..b" and ".a." by the million, and MTAs pass them on */
static bool dots(struct str *s, struct field *out)
{
	while (s->n > 0 && (is_atext(s->p[0]) || s->p[0] == '.')) {
		field_put(out, s->p[0]);
		s->p++;
		s->n--;
	}
	return out->n > 0;
}

static enum address_result parts(struct str s, struct field *local, struct field *dom)
{
	if (s.n > 0 && s.p[0] == '@' && !route(&s))
		return ADDRESS_BAD;
	if (!(take(&s, '"') ? quoted(&s, local) : dots(&s, local)))
		return ADDRESS_BAD;
	if (take(&s, '@') && !domain(&s, dom))
		return ADDRESS_BAD;
	return s.n == 0 ? ADDRESS_OK : ADDRESS_BAD;
}

/* plain_parts - the same for a local part that is not quoted */
static enum address_result plain_parts(struct str s, struct field *local,
				       struct field *dom)
{
	struct str routed = s;
	const char *at;

	if (route(&routed))
		s = routed;
	at = memrchr(s.p, '@', s.n);

	size_t local_n = at ? (size_t)(at - s.p) : s.n;

	for (size_t i = 0; i < local_n; i++)
		field_put(local, s.p[i]);
	if (local_n == 0)
		return ADDRESS_BAD;
	if (at == NULL)
		return ADDRESS_OK;
	s = (struct str){at + 1, s.n - local_n - 1};
	return domain(&s, dom) && s.n == 0 ? ADDRESS_OK : ADDRESS_BAD;
}

static enum address_result parse(struct str s, bool utf8, struct address *out,
				 enum address_result (*split)(struct str, struct field *,
							      struct field *))
{
	struct field local = {.p = out->local, .max = ADDRESS_LOCAL_MAX};
	struct field dom = {.p = out->domain, .max = ADDRESS_DOMAIN_MAX};
	enum address_result r = check_octets(s, utf8);

	*out = (struct address){0};
	if (s.n == 0)
		return ADDRESS_NULL;
	if (r == ADDRESS_OK)
		r = split(s, &local, &dom);
	if (r == ADDRESS_OK && !(field_end(&local) && field_end(&dom)))
		r = ADDRESS_TOO_LONG;
	if (r != ADDRESS_OK)
		*out = (struct address){0};
	return r;
}

enum address_result address_parse(struct str s, bool utf8, struct address *out)
{
	return parse(s, utf8, out, parts);
}

enum address_result address_parse_plain(struct str s, bool utf8, struct address *out)
{
	return parse(s, utf8, out, plain_parts);
}

bool address_path(struct str *rest, struct str *path)
{
	bool in_quotes = false;

	if (rest->n == 0 || rest->p[0] != '<')
		return false;
	for (size_t i = 1; i < rest->n; i++) {
		char c = rest->p[i];

		if (c == '>' && !in_quotes) {
			*path = (struct str){rest->p + 1, i - 1};
			*rest = (struct str){rest->p + i + 1, rest->n - i - 1};
			return true;
		}
		if (c == '"')
			in_quotes = !in_quotes;
		else if (c == '\\' && in_quotes)
			i++;
	}
	return false;
}

/* is_dot_string - may the local part stand without quotes?  RFC 5321 s4.1.2 */
static bool is_dot_string(struct str s)
{
	bool after_dot = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && after_dot)
			return false;
		after_dot = s.p[i] == '.';
		if (!after_dot && !is_atext(s.p[i]))
			return false;
	}
	return !after_dot;
}

static void put_quoted(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

void address_print(struct buf *out, const struct address *a)
{
	struct str local = str_of(a->local);

	if (local.n == 0 && a->domain[0] == '\0')
		return;
	if (is_dot_string(local))
		buf_put(out, local);
	else
		put_quoted(out, local);
	if (a->domain[0] != '\0') {
		buf_putc(out, '@');
		buf_put(out, str_of(a->domain));
	}
}
