/* SPDX-License-Identifier: ISC */
#include "lib/base64.h"

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct str octets, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)octets.p;

	for (size_t i = 0; i < octets.n; i += 3) {
		size_t left = octets.n - i;
		uint32_t v = (uint32_t)p[i] << 16 |
			     (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (left > 2 ? p[i + 2] : 0);

		buf_putc(out, digits[v >> 18]);
		buf_putc(out, digits[v >> 12 & 63]);
		buf_putc(out, left > 1 ? digits[v >> 6 & 63] : '=');
		buf_putc(out, left > 2 ? digits[v & 63] : '=');
	}
}

/* value - of a digit, without a table that would tell by the cache which one it was;
 * 64: none */
static uint32_t value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* group - four digits, of which the last `pad` are padding */
static bool group(const char *p, size_t pad, struct buf *out)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		uint32_t d = i < 4 - pad ? value(p[i]) : 0;

		if (d > 63)
			return false;
		v = v << 6 | d;
	}
	if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
		return false;
	buf_putc(out, (char)(v >> 16));
	if (pad < 2)
		buf_putc(out, (char)(v >> 8));
	if (pad < 1)
		buf_putc(out, (char)v);
	return true;
}

bool base64_decode(struct str text, struct buf *out)
{
	size_t before = out->n;

	if (text.n % 4 != 0)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		const char *p = text.p + i;
		bool last = i + 4 == text.n;
		size_t pad = last && p[3] == '=' ? 1 + (p[2] == '=') : 0;

		if (!group(p, pad, out)) {
			buf_cut(out, before);
			return false;
		}
	}
	return true;
}
