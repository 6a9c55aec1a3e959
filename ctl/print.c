/* SPDX-License-Identifier: ISC */
#include "ctl/print.h"

#include "mail/date.h"

/* char_length - octets of the UTF-8 character at s.p, 0 when there is none */
static size_t char_length(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.n; n++)
		if (str_is_utf8((struct str){s.p, n}))
			return n;
	return 0;
}

static bool is_control(struct str c)
{
	unsigned char first = (unsigned char)c.p[0];

	if (c.n == 1)
		return first < 0x20 || first == 0x7f;
	/* U+0080 to U+009F: a terminal may obey them like ESC sequences */
	return first == 0xc2 && (unsigned char)c.p[1] < 0xa0;
}

void print_visible(struct buf *out, struct str s)
{
	while (s.n > 0) {
		size_t n = char_length(s);
		struct str c = {s.p, n ? n : 1};

		if (n > 0 && !is_control(c))
			buf_put(out, c);
		else
			for (size_t i = 0; i < c.n; i++)
				buf_printf(out, "\\x%02x", (unsigned char)c.p[i]);
		s.p += c.n;
		s.n -= c.n;
	}
}

void print_visible_to(FILE *out, struct str s)
{
	struct buf b;

	buf_init(&b, s.n * 4);
	print_visible(&b, s);
	fwrite(buf_cstr(&b), 1, b.n, out);
	buf_fini(&b);
}

void print_size(struct buf *out, uint64_t octets)
{
	static const char units[] = "KMGTPE";
	size_t u = 0;

	if (octets < 1024) {
		buf_printf(out, "%u", (unsigned)octets);
		return;
	}
	while (u + 2 < sizeof units && octets >> 10 * (u + 2) != 0)
		u++;

	uint64_t unit = UINT64_C(1) << 10 * (u + 1);

	if (octets % unit == 0)
		buf_printf(out, "%u%c", (unsigned)(octets / unit), units[u]);
	else
		buf_printf(out, "%.1f%c", (double)octets / (double)unit, units[u]);
}

void print_time(struct buf *out, uint64_t unix_ms)
{
	enum {
		DAY = 10,
		SECOND = 19
	}; /* octets of RFC 3339's date and of date and time */
	struct buf full;

	if (unix_ms == 0) {
		buf_put(out, STR("never"));
		return;
	}
	buf_init(&full, 64);
	date_rfc3339(&full, unix_ms);
	must(full.n > SECOND);
	buf_put(out, (struct str){full.p, DAY});
	buf_putc(out, ' ');
	buf_put(out, (struct str){full.p + DAY + 1, SECOND - DAY - 1});
	buf_putc(out, 'Z');
	buf_fini(&full);
}

json_t *print_json_text(struct str s)
{
	json_t *plain = json_stringn(s.p, s.n);

	if (plain != NULL)
		return plain;

	struct buf b;

	buf_init(&b, s.n * 4);
	print_visible(&b, s);

	json_t *escaped = json_stringn(buf_cstr(&b), b.n);

	buf_fini(&b);
	must(escaped != NULL);
	return escaped;
}

json_t *print_json_time(uint64_t unix_ms)
{
	struct buf b;

	if (unix_ms == 0)
		return json_null();
	buf_init(&b, 64);
	date_rfc3339(&b, unix_ms);

	json_t *text = json_stringn(buf_cstr(&b), b.n);

	buf_fini(&b);
	must(text != NULL);
	return text;
}

json_t *print_json_done(struct str name, const char *done)
{
	json_t *object =
		json_pack("{s:o, s:s}", "name", print_json_text(name), "done", done);

	must(object != NULL);
	return object;
}

void print_json(json_t *owned, FILE *out)
{
	must(owned != NULL);
	/* A failed write shows in ferror(), which ctl_run() looks at. */
	json_dumpf(owned, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
	fputc('\n', out);
	json_decref(owned);
}
