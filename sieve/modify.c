/* SPDX-License-Identifier: ISC */
#include "sieve/modify_int.h"

#include <string.h>

static char ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static struct str change_case(struct run *r, struct str s, size_t n, char (*how)(char))
{
	struct str copy = arena_str(r->arena, s);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; i < n && i < s.n; i++)
		p[i] = how(p[i]);
	return copy;
}

static struct str lower(struct run *r, struct str s)
{
	return change_case(r, s, s.n, ascii_lower);
}

static struct str upper(struct run *r, struct str s)
{
	return change_case(r, s, s.n, ascii_upper);
}

static struct str lowerfirst(struct run *r, struct str s)
{
	return change_case(r, s, 1, ascii_lower);
}

static struct str upperfirst(struct run *r, struct str s)
{
	return change_case(r, s, 1, ascii_upper);
}

/* quote - a backslash before each octet that is one of `marks` */
static struct str quote(struct run *r, struct str s, const char *marks)
{
	char *p = arena_alloc(r->arena, 2 * s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\0' && strchr(marks, s.p[i]) != NULL)
			p[n++] = '\\';
		p[n++] = s.p[i];
	}
	return (struct str){p, n};
}

static struct str quotewildcard(struct run *r, struct str s)
{
	return quote(r, s, "*?\\");
}

static struct str quoteregex(struct run *r, struct str s)
{
	return quote(r, s, "\\^$.[]|()?*+{}");
}

static bool is_unreserved(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

static struct str encodeurl(struct run *r, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";
	char *p = arena_alloc(r->arena, 3 * s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_unreserved(s.p[i])) {
			p[n++] = s.p[i];
			continue;
		}
		p[n++] = '%';
		p[n++] = digits[c >> 4];
		p[n++] = digits[c & 15];
	}
	return (struct str){p, n};
}

/* characters, not octets */
static struct str length(struct run *r, struct str s)
{
	struct buf out;
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	buf_init(&out, 24);
	buf_printf(&out, "%zu", n);
	return run_take(r, &out);
}

const struct modifier modifier_lower = {lower}, modifier_upper = {upper};
const struct modifier modifier_lowerfirst = {lowerfirst},
		      modifier_upperfirst = {upperfirst};
const struct modifier modifier_quotewildcard = {quotewildcard};
const struct modifier modifier_quoteregex = {quoteregex};
const struct modifier modifier_encodeurl = {encodeurl}, modifier_length = {length};

struct str modify(struct run *r, const struct node *n, struct str value)
{
	static const enum slot order[] = {SLOT_CASE, SLOT_FIRST_CASE, SLOT_QUOTE,
					  SLOT_ENCODE, SLOT_LENGTH};

	for (size_t i = 0; i < countof(order); i++) {
		const struct arg *a = node_arg(n, order[i]);

		if (a == NULL || !run_spend(r, value.n))
			continue;
		value = ((const struct modifier *)a->is)->apply(r, value);
	}
	return value;
}
