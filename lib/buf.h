/* SPDX-License-Identifier: ISC */
/*
 * buf - bytes we own: grows on demand up to a limit fixed at birth
 *
 * Appending never fails on the spot.  Going over `max` sets a sticky flag and
 * drops the rest, so a reply is built in straight-line code and checked once,
 * with buf_over(), before anybody sees it.
 *
 * Owns:  p.  Ends: buf_fini(), or buf_fini_secret() for passwords, which wants
 *        a buffer born at full size by buf_init_secret(), so that growing
 *        leaves no copies behind.  What was never reserved of it is neither
 *        cleared at birth nor wiped at the end: a long maximum costs nothing.
 * Tests: t/unit/lib/buf.c
 */
#ifndef BUF_H
#define BUF_H

#include "lib/str.h"

struct buf {
	char *p; /* NUL-terminated once anything was put in; NULL before */
	size_t n, cap, max;
	size_t touched; /* of a secret: no octet past it was ever handed out */
	bool over;
};

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_fini_secret(struct buf *b);
void buf_put(struct buf *b, struct str s);
void buf_putc(struct buf *b, char c);
/* What buf_printf() makes of %0*llu and %016llx, for where it is done thousands of times a
 * second; width is 20 at most. */
void buf_put_u64(struct buf *b, uint64_t v, size_t width);
void buf_put_hex64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_drop(struct buf *b, size_t n); /* remove n bytes from the front */
void buf_cut(struct buf *b, size_t n);  /* keep only the first n bytes */
void buf_clear(struct buf *b);          /* empty again, and not over */

/* Room for `n` more bytes at b->p + b->n, to read() into; NULL past max.
 * After filling, buf_used() says how many bytes arrived. */
char *buf_reserve(struct buf *b, size_t n);
void buf_used(struct buf *b, size_t n);

static inline struct str buf_str(const struct buf *b) /* borrowed: until next change */
{
	return (struct str){b->p ? b->p : "", b->n};
}
static inline const char *buf_cstr(const struct buf *b) /* borrowed likewise */
{
	return b->p ? b->p : "";
}
static inline bool buf_over(const struct buf *b)
{
	return b->over;
}

#endif
