/* SPDX-License-Identifier: ISC */
#include "lib/arena.h"

#include <stdalign.h>
#include <string.h>

enum { CHUNK_MIN = 4096, CHUNK_MAX = 65536 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	alignas(max_align_t) char octets[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){.max = max};
}

void arena_fini(struct arena *a)
{
	for (struct arena_chunk *c = a->chunk, *next; c != NULL; c = next) {
		next = c->next;
		xfree(&c);
	}
	*a = (struct arena){0};
}

static struct arena_chunk *add_chunk(struct arena *a, size_t need)
{
	size_t size = a->chunk ? a->chunk->size * 2 : CHUNK_MIN;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < need)
		size = need;

	struct arena_chunk *c = xalloc(sizeof *c + size);

	c->size = size;
	c->next = a->chunk;
	a->chunk = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t unit = alignof(max_align_t);
	struct arena_chunk *c = a->chunk;

	must(n <= SIZE_MAX / 2);
	n = (n + unit - 1) / unit * unit;
	if (c == NULL || n > c->size - c->used)
		c = add_chunk(a, n);
	a->used += n;
	if (a->used > a->max)
		a->over = true;
	c->used += n;
	return c->octets + c->used - n;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct str){p, s.n};
}

void *arena_grow(struct arena *a, const void *p, size_t old, size_t new)
{
	void *q = arena_alloc(a, new);

	must(old <= new);
	if (old > 0)
		memcpy(q, p, old);
	return q;
}

void *arena_push(struct arena *a, void *list, size_t *n, size_t size)
{
	/* A list has room for the next power of two, or for four. */
	if (*n == 0)
		list = arena_alloc(a, 4 * size);
	else if (*n >= 4 && (*n & (*n - 1)) == 0)
		list = arena_grow(a, list, *n * size, *n * 2 * size);
	(*n)++;
	return list;
}
