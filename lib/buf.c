/* SPDX-License-Identifier: ISC */
#include "lib/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_init_secret(struct buf *b, size_t max)
{
	must(max < SIZE_MAX);
	buf_init(b, max);
	b->cap = max + 1;
	b->p = xresize(NULL, b->cap); /* xalloc() would touch all of it */
	b->p[0] = '\0';
}

void buf_fini(struct buf *b)
{
	xfree(&b->p);
	*b = (struct buf){0};
}

void buf_fini_secret(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->touched);
	buf_fini(b);
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (n > b->max - b->n) {
		b->over = true;
		return NULL;
	}
	if (b->n + n + 1 > b->cap) {
		size_t cap = b->cap ? b->cap : 64;

		while (cap < b->n + n + 1)
			cap *= 2;
		b->p = xresize(b->p, cap);
		b->p[b->n] = '\0';
		b->cap = cap;
	}
	if (b->touched < b->n + n + 1)
		b->touched = b->n + n + 1;
	return b->p + b->n;
}

void buf_used(struct buf *b, size_t n)
{
	must(b->n + n < b->cap);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_put(struct buf *b, struct str s)
{
	size_t n = s.n;

	if (b->over)
		return;
	if (n > b->max - b->n) {
		n = b->max - b->n;
		b->over = true;
	}
	if (n == 0)
		return;

	bool over = b->over;
	char *to = buf_reserve(b, n);

	must(to != NULL);
	memcpy(to, s.p, n);
	buf_used(b, n);
	b->over = over;
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, (struct str){&c, 1});
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[512];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	must(n >= 0);
	if ((size_t)n < sizeof small) {
		buf_put(b, (struct str){small, (size_t)n});
		return;
	}

	char *big = xalloc((size_t)n + 1);

	va_start(ap, fmt);
	vsnprintf(big, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_put(b, (struct str){big, (size_t)n});
	xfree(&big);
}

void buf_put_u64(struct buf *b, uint64_t v, size_t width)
{
	enum { MAX = 20 };
	char text[MAX], *end = text + sizeof text, *p = end;

	must(width <= MAX);
	while (v > 0 || p == end || (size_t)(end - p) < width) {
		*--p = (char)('0' + v % 10);
		v /= 10;
	}
	buf_put(b, (struct str){p, (size_t)(end - p)});
}

void buf_put_hex64(struct buf *b, uint64_t v)
{
	char digits[16];

	str_print_sum64(v, digits);
	buf_put(b, (struct str){digits, sizeof digits});
}

void buf_drop(struct buf *b, size_t n)
{
	must(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	buf_cut(b, b->n - n);
}

void buf_cut(struct buf *b, size_t n)
{
	must(n <= b->n);
	b->n = n;
	if (b->p != NULL)
		b->p[n] = '\0';
}

void buf_clear(struct buf *b)
{
	buf_cut(b, 0);
	b->over = false;
}
