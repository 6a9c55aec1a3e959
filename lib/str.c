/* SPDX-License-Identifier: ISC */
#include "lib/str.h"

#include <endian.h>
#include <string.h>

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool ascii_is_print(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

bool ascii_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_of(const char *cstring)
{
	return (struct str){cstring ? cstring : "", cstring ? strlen(cstring) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

bool str_istarts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_ieq((struct str){s.p, prefix.n}, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       str_eq((struct str){s.p + s.n - suffix.n, suffix.n}, suffix);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str str_cut(struct str *rest, char sep)
{
	const char *at = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
	struct str head = *rest;

	if (at == NULL) {
		rest->p += rest->n;
		rest->n = 0;
		return head;
	}
	head.n = (size_t)(at - rest->p);
	rest->p = at + 1;
	rest->n -= head.n + 1;
	return head;
}

/* digits - as many of the first eight octets as are digits, and what number they make: all at
 * once, since a loop would end elsewhere for each number, which no processor foresees */
static unsigned digits(const char *p, uint64_t *out)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t v, others;
	unsigned n;

	memcpy(&v, p, sizeof v);
	v = le64toh(v) ^ each * '0'; /* the first octet is the lowest */
	others = ((v & each * 0x7f) + each * 0x76) | v;
	others &= each * 0x80;
	n = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
	if (n == 0)
		return 0;
	v <<= 64 - 8 * n; /* zeros in front */
	v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
	v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
	*out = (v * 10000 + (v >> 32)) & UINT32_MAX;
	return n;
}

static bool any_word_u64(struct str *rest, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < rest->n && rest->p[i] != ' '; i++) {
		unsigned d = (unsigned char)rest->p[i] - (unsigned)'0';

		/* Nineteen digits fit, whatever they are. */
		if (d > 9 || (i >= 19 && v > (UINT64_MAX - d) / 10))
			return false;
		v = v * 10 + d;
	}
	if (i == 0)
		return false;
	*out = v;
	if (i < rest->n)
		i++; /* the space */
	*rest = (struct str){rest->p + i, rest->n - i};
	return true;
}

bool str_word_u64(struct str *rest, uint64_t *out)
{
	uint64_t v = 0;
	unsigned n = rest->n > 8 ? digits(rest->p, &v) : 0;

	if (n == 0 || rest->p[n] != ' ')
		return any_word_u64(rest, out);
	*out = v;
	*rest = (struct str){rest->p + n + 1, rest->n - n - 1};
	return true;
}

bool str_u64(struct str s, uint64_t *out)
{
	bool whole =
		s.n > 0 && s.p[s.n - 1] != ' '; /* which would be the end of a word */
	uint64_t v;

	if (!whole || !str_word_u64(&s, &v) || s.n > 0)
		return false;
	*out = v;
	return true;
}

static bool narrow(uint64_t v, uint32_t *out)
{
	if (v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

bool str_u32(struct str s, uint32_t *out)
{
	uint64_t v;

	return str_u64(s, &v) && narrow(v, out);
}

bool str_word_u32(struct str *rest, uint32_t *out)
{
	uint64_t v;

	return str_word_u64(rest, &v) && narrow(v, out);
}

/* A digit's value and one more; a login reads some hundred of them. */
static const unsigned char hex_values[256] = {
	/* clang-format off */
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7,
	['7'] = 8, ['8'] = 9, ['9'] = 10,
	['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
	/* clang-format on */
};

bool str_hex64(struct str s, uint64_t *out)
{
	unsigned any = 0; /* more than 15 where one is no digit */
	uint64_t v = 0;

	if (s.n == 0 || s.n > 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = hex_values[(unsigned char)s.p[i]] - 1U;

		any |= d;
		v = v << 4 | (d & 15);
	}
	if (any > 15)
		return false;
	*out = v;
	return true;
}

bool str_is_blank(struct str s)
{
	while (s.n > 0 && s.p[s.n - 1] == '\0')
		s.n--;
	return s.n == 0;
}

/* eight - digits at a time, one in each octet of a number, since a maildrop has many: the
 * values are put together, and have to give the same digits again. */
static bool eight(const char *p, uint64_t *out)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t c, v, letters;

	memcpy(&c, p, sizeof c);
	c = be64toh(c);
	v = (c & each * 15) + (c >> 6 & each) * 9;
	letters = (v + each * 6) >> 4 & each;
	if ((v & each * 0xf0) != 0 || v + each * '0' + letters * ('a' - 10 - '0') != c)
		return false;
	v = (v | v >> 4) & UINT64_C(0x00ff00ff00ff00ff);
	v = (v | v >> 8) & UINT64_C(0x0000ffff0000ffff);
	*out = (v | v >> 16) & UINT32_MAX;
	return true;
}

bool str_sum64(struct str s, uint64_t *out)
{
	uint64_t high, low;

	if (s.n != 16 || !eight(s.p, &high) || !eight(s.p + 8, &low))
		return false;
	*out = high << 32 | low;
	return true;
}

/* print_eight - the way back */
static void print_eight(uint64_t v, char *out)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t letters;

	v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
	v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
	v = (v | v << 4) & each * 0xf;
	letters = (v + each * 6) >> 4 & each;
	v = htobe64(v + each * '0' + letters * ('a' - 10 - '0'));
	memcpy(out, &v, sizeof v);
}

void str_print_sum64(uint64_t sum, char out[16])
{
	print_eight(sum >> 32, out);
	print_eight(sum & UINT32_MAX, out + 8);
}

bool str_size(struct str s, uint64_t *out)
{
	static const char units[] = "kmgt";
	unsigned shift = 0;

	if (s.n > 0) {
		char c = ascii_lower(s.p[s.n - 1]);
		const char *u = c ? strchr(units, c) : NULL;

		if (u != NULL) {
			shift = 10 * ((unsigned)(u - units) + 1);
			s.n--;
		}
	}

	uint64_t v;

	if (!str_u64(s, &v) || v > UINT64_MAX >> shift)
		return false;
	*out = v << shift;
	return true;
}

/* utf8_one - length of the character at s.p, 0 when it is not well formed */
static size_t utf8_one(struct str s)
{
	/* RFC 3629 s4: lead byte, its length, and the bounds of the second byte */
	static const struct {
		unsigned char lo, hi, len, second_lo, second_hi;
	} lead[] = {
		/* clang-format off */
		{0x00, 0x7f, 1, 0x00, 0x00},
		{0xc2, 0xdf, 2, 0x80, 0xbf},
		{0xe0, 0xe0, 3, 0xa0, 0xbf},
		{0xe1, 0xec, 3, 0x80, 0xbf},
		{0xed, 0xed, 3, 0x80, 0x9f},
		{0xee, 0xef, 3, 0x80, 0xbf},
		{0xf0, 0xf0, 4, 0x90, 0xbf},
		{0xf1, 0xf3, 4, 0x80, 0xbf},
		{0xf4, 0xf4, 4, 0x80, 0x8f},
		/* clang-format on */
	};
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < countof(lead); i++) {
		if (p[0] < lead[i].lo || p[0] > lead[i].hi)
			continue;
		if (lead[i].len > s.n)
			return 0;
		if (lead[i].len > 1 &&
		    (p[1] < lead[i].second_lo || p[1] > lead[i].second_hi))
			return 0;
		for (size_t k = 2; k < lead[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return lead[i].len;
	}
	return 0;
}

bool str_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

bool str_has_line_end(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++) {
		const unsigned char *p = (const unsigned char *)s.p + i;

		if (p[0] == 0xc2 && p[1] < 0xa0)
			return true;
		if (i + 2 < s.n && p[0] == 0xe2 && p[1] == 0x80 &&
		    (p[2] == 0xa8 || p[2] == 0xa9))
			return true;
	}
	return false;
}

bool str_is_utf8(struct str s)
{
	while (s.n > 0) {
		size_t n = utf8_one(s);

		if (n == 0)
			return false;
		s.p += n;
		s.n -= n;
	}
	return true;
}

bool str_glob(struct str pattern, struct str s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;

	while (i < s.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = i;
		} else if (p < pattern.n &&
			   (pattern.p[p] == '?' ||
			    ascii_lower(pattern.p[p]) == ascii_lower(s.p[i]))) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}
