/* SPDX-License-Identifier: ISC */
/*
 * str - a borrowed run of bytes: pointer and length, no NUL, no ownership
 *
 * Everything that parses takes a struct str, so that nothing is copied, cut at
 * a NUL or read past its end.  Case is ASCII case, never the locale's.
 *
 * Owns:  nothing.  A str lives as long as the bytes it points into.
 * Tests: t/unit/lib/str.c
 */
#ifndef STR_H
#define STR_H

#include "lib/base.h"

struct str {
	const char *p;
	size_t n;
};

/* clang-format off */
#define STR_INIT(lit) {"" lit, sizeof(lit) - 1}   /* in static tables */
#define STR(lit)      ((struct str)STR_INIT(lit)) /* in expressions */
#define STR_FMT       "%.*s"
#define STR_ARG(s)    (int)(s).n, (s).p
/* clang-format on */

struct str str_of(const char *cstring); /* NULL gives the empty string */
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); /* SP and HT at both ends */

/* Takes the text up to the first `sep` off *rest and skips that one `sep`;
 * without a `sep` it takes everything. */
struct str str_cut(struct str *rest, char sep);
static inline struct str str_word(struct str *rest)
{
	return str_cut(rest, ' ');
}

/* Digits only (no sign, no space, at least one), within range. */
bool str_u32(struct str s, uint32_t *out) MUST_USE;
bool str_u64(struct str s, uint64_t *out) MUST_USE;
/* The same of the next word, which is taken off *rest, as by str_word(), in one pass; where it
 * is no number, of *rest nothing can be said. */
bool str_word_u64(struct str *rest, uint64_t *out) MUST_USE;
bool str_word_u32(struct str *rest, uint32_t *out) MUST_USE;
bool str_hex64(struct str s, uint64_t *out) MUST_USE; /* 1 to 16 hex digits */
/* Empty, or nothing but octets 0: a file that was made longer, and never written. */
bool str_is_blank(struct str s);
bool str_sum64(struct str s, uint64_t *out) MUST_USE; /* 16, in lower case: a checksum */
/* What str_sum64() reads.  To see whether a checksum is right, this is the shorter way. */
void str_print_sum64(uint64_t sum, char out[16]);

/* Octets with an optional unit K, M, G or T (1024 based), as "100M". */
bool str_size(struct str s, uint64_t *out) MUST_USE;

/* Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates. */
bool str_is_utf8(struct str s);
/* An octet below 0x20, or DEL: none of these stands within a line of text. */
bool str_has_control(struct str s);
/* A C1 control, a line or a paragraph separator, in UTF-8: the same. */
bool str_has_line_end(struct str s);

/* `*` matches any run, `?` one byte; ASCII case folded; linear in practice
 * (two pointers, no recursion). */
bool str_glob(struct str pattern, struct str s);

char ascii_lower(char c);
bool ascii_is_print(char c); /* 0x20 to 0x7e */
bool ascii_is_blank(char c); /* SP, HT, and CR and LF, of which a fold is made */

#endif
