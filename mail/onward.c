/* SPDX-License-Identifier: ISC */
#include "mail/onward.h"

#define MARK "X-Popstore-Loop"

/* ---- marks -------------------------------------------------------------------------------- */

static char visible(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
}

void onward_put_mark(struct str address, struct buf *out)
{
	buf_put(out, STR(MARK ": "));
	for (size_t i = 0; i < address.n; i++)
		buf_putc(out, visible(address.p[i]));
	buf_put(out, STR("\r\n"));
}

/* is_same - as it was written */
static bool is_same(struct str value, struct str address)
{
	if (value.n != address.n)
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (ascii_lower(value.p[i]) != ascii_lower(visible(address.p[i])))
			return false;
	return true;
}

bool onward_has_mark(const struct header *h, struct str address)
{
	const struct field *f = NULL;

	while ((f = header_find(h, STR(MARK), f)) != NULL)
		if (is_same(field_raw(h->arena, f), address))
			return true;
	return false;
}

/* ---- Authentication-Results --------------------------------------------------------------------- */

/* put_uncommented - without comments, which may hold others, and quotes that hold parentheses;
 * a quoted string's octets count for what they are, and not as marks */
static void put_uncommented(struct str s, struct buf *out)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && i + 1 < s.n && (quoted || depth > 0)) {
			i++;
			if (depth == 0)
				buf_putc(out, s.p[i] == ';' ? '?' : s.p[i]);
		} else if (c == '"' && depth == 0) {
			quoted = !quoted;
		} else if (c == '(' && !quoted) {
			depth++;
			buf_putc(out, ' ');
		} else if (c == ')' && depth > 0 && !quoted) {
			depth--;
		} else if (depth == 0) {
			buf_putc(out, quoted && c == ';' ? '?' : c);
		}
	}
}

/* word - up to a blank */
static struct str word(struct str s)
{
	size_t n = 0;

	while (n < s.n && !ascii_is_blank(s.p[n]))
		n++;
	return (struct str){s.p, n};
}

/* is_dmarc_failure - of one result: "dmarc = fail reason=..." */
static bool is_dmarc_failure(struct str result)
{
	struct str method = str_cut(&result, '=');

	method = str_trim(str_cut(&method, '/')); /* its version */
	return str_ieq(method, STR("dmarc")) &&
	       str_ieq(word(str_trim(result)), STR("fail"));
}

static bool says_failed(struct str value, struct str authserv)
{
	struct buf plain;
	struct str rest;
	bool failed = false;

	buf_init(&plain, value.n + 1);
	put_uncommented(value, &plain);
	rest = buf_str(&plain);
	if (str_ieq(word(str_trim(str_cut(&rest, ';'))), authserv))
		while (rest.n > 0 && !failed)
			failed = is_dmarc_failure(str_cut(&rest, ';'));
	buf_fini(&plain);
	return failed;
}

bool onward_failed_dmarc(const struct header *h, struct str authserv)
{
	const struct field *f = NULL;

	while ((f = header_find(h, STR("Authentication-Results"), f)) != NULL)
		if (says_failed(field_raw(h->arena, f), authserv))
			return true;
	return false;
}

/* ---- both --------------------------------------------------------------------------------------- */

enum onward onward_judge(const struct header *h, struct str address, struct str authserv)
{
	if (onward_has_mark(h, address))
		return ONWARD_LOOP;
	if (authserv.n > 0 && onward_failed_dmarc(h, authserv))
		return ONWARD_DMARC;
	return ONWARD_GOES;
}

const char *onward_word(enum onward o)
{
	switch (o) {
	case ONWARD_LOOP:
		return "loop";
	case ONWARD_DMARC:
		return "dmarc";
	case ONWARD_GOES:
		break;
	}
	return NULL;
}
