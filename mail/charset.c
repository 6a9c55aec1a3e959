/* SPDX-License-Identifier: ISC */
#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#define REPLACEMENT STR("\xef\xbf\xbd")

/* utf8_length - of the character that `s` begins with, 0 where it is none */
static size_t utf8_length(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80   ? 1
		   : c < 0xc2 ? 0
		   : c < 0xe0 ? 2
		   : c < 0xf0 ? 3
		   : c < 0xf5 ? 4
			      : 0;

	if (n == 0 || n > s.n || !str_is_utf8((struct str){s.p, n}))
		return 0;
	return n;
}

void charset_repair(struct str text, struct buf *out)
{
	if (str_is_utf8(text)) {
		buf_put(out, text);
		return;
	}
	while (text.n > 0) {
		size_t n = utf8_length(text);

		buf_put(out, n > 0 ? (struct str){text.p, n} : REPLACEMENT);
		n += n == 0;
		text = (struct str){text.p + n, text.n - n};
	}
}

static void put_point(struct buf *out, unsigned c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
	} else if (c < 0x800) {
		buf_putc(out, (char)(0xc0 | c >> 6));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(out, (char)(0xe0 | c >> 12));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* Mail says ISO-8859-1 and means windows-1252, as browsers have found. */
static void from_windows_1252(struct str text, struct buf *out)
{
	static const unsigned short c1[32] = {
		0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
		0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
		0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
	};

	for (size_t i = 0; i < text.n; i++) {
		unsigned c = (unsigned char)text.p[i];

		put_point(out, c >= 0x80 && c < 0xa0 ? c1[c - 0x80] : c);
	}
}

/* ---- iconv --------------------------------------------------------------------- */

static bool is_name(struct str s)
{
	if (s.n == 0 || s.n > CHARSET_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("-_.:+", c) == NULL))
			return false;
	}
	return true;
}

static bool open_converter(struct str name, iconv_t *cd)
{
	char from[CHARSET_NAME_MAX + 1];

	if (!is_name(name))
		return false;
	memcpy(from, name.p, name.n);
	from[name.n] = '\0';
	*cd = iconv_open("UTF-8", from);
	return *cd != (iconv_t)-1;
}

/* convert_some - one call of iconv(3); with nothing in *in it brings what a set with
 * shifts still holds.  False: nothing more comes */
static bool convert_some(iconv_t cd, struct str *in, struct buf *out)
{
	char piece[512], *to = piece, *from = (char *)(uintptr_t)in->p;
	size_t room = sizeof piece, left = in->n;
	bool last = left == 0;
	size_t rc = iconv(cd, last ? NULL : &from, last ? NULL : &left, &to, &room);
	bool bad = rc == (size_t)-1 && errno != E2BIG;

	charset_repair((struct str){piece, sizeof piece - room}, out);
	if (bad) {
		buf_put(out, REPLACEMENT);
		from += !last;
		left -= !last;
	}
	*in = (struct str){from, left};
	return !last || (rc == (size_t)-1 && !bad);
}

static void convert(iconv_t cd, struct str text, struct buf *out)
{
	while (convert_some(cd, &text, out) && !buf_over(out))
		;
}

void charset_decode(struct str name, struct str text, struct buf *out)
{
	iconv_t cd;

	if (name.n == 0 || str_ieq(name, STR("utf-8")) ||
	    str_ieq(name, STR("us-ascii")) || str_ieq(name, STR("utf8")))
		charset_repair(text, out);
	else if (str_ieq(name, STR("iso-8859-1")) || str_ieq(name, STR("windows-1252")))
		from_windows_1252(text, out);
	else if (open_converter(name, &cd)) {
		convert(cd, text, out);
		iconv_close(cd);
	} else {
		charset_repair(text, out);
	}
}
