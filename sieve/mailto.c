/* SPDX-License-Identifier: ISC */
#include "sieve/mailto_int.h"

#include "sieve/redirect_int.h"

static int digit16(char c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uri_decode(struct arena *a, struct str s, struct str *out)
{
	char *p = arena_alloc(a, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];

		if (c == '%') {
			int hi = i + 2 < s.n ? digit16(s.p[i + 1]) : -1;
			int lo = hi >= 0 ? digit16(s.p[i + 2]) : -1;

			if (lo < 0)
				return false;
			c = hi << 4 | lo;
			i += 2;
		}
		if (c == '\0')
			return false;
		p[n++] = (char)c;
	}
	*out = (struct str){p, n};
	return str_is_utf8(*out);
}

static bool add_recipient(struct arena *a, struct str s, struct mailto *out)
{
	struct buf address;
	struct str decoded = {"", 0};
	bool ok = out->n < MAILTO_RECIPIENTS && uri_decode(a, s, &decoded);

	buf_init(&address, 1024);
	ok = ok && redirect_address(decoded, &address);
	if (ok)
		out->to[out->n++] = arena_str(a, buf_str(&address));
	buf_fini(&address);
	return ok;
}

static bool add_recipients(struct arena *a, struct str list, struct mailto *out)
{
	while (list.n > 0)
		if (!add_recipient(a, str_cut(&list, ','), out))
			return false;
	return true;
}

static bool take_field(struct arena *a, struct str field, struct mailto *out)
{
	struct str value = field, name = str_cut(&value, '=');

	if (str_ieq(name, STR("to")))
		return add_recipients(a, value, out);
	if (str_ieq(name, STR("body")))
		return uri_decode(a, value, &out->body);
	if (str_ieq(name, STR("subject")))
		return uri_decode(a, value, &out->subject);
	return true;
}

bool mailto_parse(struct arena *a, struct str uri, struct mailto *out)
{
	const struct str scheme = STR("mailto:");
	struct str fields, to;

	*out = (struct mailto){.subject = {"", 0}, .body = {"", 0}};
	if (uri.n > MAILTO_OCTETS || !str_istarts(uri, scheme))
		return false;
	fields = (struct str){uri.p + scheme.n, uri.n - scheme.n};
	to = str_cut(&fields, '?');
	if (!add_recipients(a, to, out))
		return false;
	while (fields.n > 0)
		if (!take_field(a, str_cut(&fields, '&'), out))
			return false;
	return out->n > 0;
}
