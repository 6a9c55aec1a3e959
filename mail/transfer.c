/* SPDX-License-Identifier: ISC */
#include "mail/transfer.h"

#include <string.h>

enum transfer transfer_of(struct str name)
{
	name = str_trim(name);
	if (str_ieq(name, STR("base64")))
		return TRANSFER_BASE64;
	if (str_ieq(name, STR("quoted-printable")))
		return TRANSFER_QP;
	return TRANSFER_NONE;
}

/* ---- base64 ------------------------------------------------------------------------ */

static int digit64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void decode_base64(struct str text, char *to, size_t *n)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < text.n; i++) {
		int d = digit64(text.p[i]);

		if (text.p[i] == '=')
			have = 0;
		if (d < 0)
			continue;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			to[(*n)++] = (char)(bits >> have);
		}
	}
}

/* ---- quoted-printable -------------------------------------------------------------- */

static int digit16(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode_line(struct str line, char *to, size_t *n)
{
	for (size_t i = 0; i < line.n; i++) {
		int hi = i + 2 < line.n ? digit16(line.p[i + 1]) : -1;
		int lo = hi >= 0 ? digit16(line.p[i + 2]) : -1;

		if (line.p[i] != '=' || lo < 0) {
			to[(*n)++] = line.p[i];
			continue;
		}
		to[(*n)++] = (char)(hi << 4 | lo);
		i += 2;
	}
}

/* take_line - with its end taken off, which is "" for the last one, CRLF or LF */
static struct str take_line(struct str *rest, struct str *end)
{
	const char *lf = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
	size_t n = lf ? (size_t)(lf - rest->p) : rest->n;
	size_t all = lf ? n + 1 : n;

	if (lf && n > 0 && rest->p[n - 1] == '\r')
		n--;

	struct str line = {rest->p, n};

	*end = (struct str){rest->p + n, all - n};
	*rest = (struct str){rest->p + all, rest->n - all};
	return line;
}

static void decode_qp(struct str text, char *to, size_t *n)
{
	while (text.n > 0) {
		struct str end, line = take_line(&text, &end);

		while (line.n > 0 &&
		       (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
			line.n--;
		if (line.n > 0 && line.p[line.n - 1] == '=') {
			line.n--;
			end.n = 0;
		}
		/* decode_line() looks two octets ahead within the line only. */
		decode_line(line, to, n);
		memcpy(to + *n, end.p, end.n);
		*n += end.n;
	}
}

void transfer_decode(enum transfer how, struct str text, struct buf *out)
{
	char *to = how == TRANSFER_NONE ? NULL : buf_reserve(out, text.n);
	size_t n = 0;

	if (to == NULL) {
		buf_put(out, text);
		return;
	}
	if (how == TRANSFER_BASE64)
		decode_base64(text, to, &n);
	else
		decode_qp(text, to, &n);
	buf_used(out, n);
}
