/* SPDX-License-Identifier: ISC */
/*
 * arena - memory with one owner and one end
 *
 * A piece of work allocates as it goes and never frees piece by piece; its end frees it
 * all.  Going over `max` sets a sticky flag but still hands out the memory, so that the
 * code stays straight, and arena_over() is asked once a step.  Callers bound each single
 * request before they make it.
 *
 * Owns:  every byte it hands out.  Ends: arena_fini().
 * Tests: t/unit/lib/arena.c
 */
#ifndef ARENA_H
#define ARENA_H

#include "lib/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk;
	size_t used, max; /* octets handed out, and how many there may be */
	bool over;
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);

void *arena_alloc(struct arena *a, size_t n);        /* zeroed, never NULL */
struct str arena_str(struct arena *a, struct str s); /* a copy */
/* A copy of the first `old` octets of p, with room for `new`, as xgrow(). */
void *arena_grow(struct arena *a, const void *p, size_t old, size_t new);
/* Makes room for one more in a list of *n things of `size` octets, and counts it. */
void *arena_push(struct arena *a, void *list, size_t *n, size_t size);

static inline bool arena_over(const struct arena *a)
{
	return a->over;
}

#endif
