/* SPDX-License-Identifier: ISC */
#include "sieve/message_int.h"

#include <string.h>

/* without_end - a stored message without the line with a dot behind it */
static struct str without_end(struct str s)
{
	if (str_eq(s, STR(".\r\n")))
		s.n = 0;
	else if (str_ends(s, STR("\r\n.\r\n")))
		s.n -= 3;
	return s;
}

/* header_length - what stands before the rest, without the empty line */
static size_t header_length(const struct sieve_message *m)
{
	size_t n = (size_t)(m->rest.p - m->octets.p);

	if (n > 0 && m->octets.p[n - 1] == '\n' &&
	    (n == 1 || m->octets.p[n - 2] == '\n' ||
	     (n > 1 && m->octets.p[n - 2] == '\r' &&
	      (n == 2 || m->octets.p[n - 3] == '\n'))))
		n -= n > 1 && m->octets.p[n - 2] == '\r' ? 2 : 1;
	return n;
}

struct sieve_message *sieve_message_new(struct str octets, bool stored, uint64_t size)
{
	struct sieve_message *m = xalloc(sizeof *m);

	arena_init(&m->arena, SIZE_MAX);
	m->octets = stored ? without_end(octets) : octets;
	m->stored = stored;
	m->size = size;
	m->rest = m->octets;
	header_parse(&m->header, &m->arena, &m->rest, stored);
	m->header_octets = header_length(m);
	return m;
}

void sieve_message_free(struct sieve_message **m)
{
	if (*m == NULL)
		return;
	arena_fini(&(*m)->arena);
	xfree(m);
}

/* first_dot - of a line that begins with one; NULL: there is none */
static const char *first_dot(struct str s)
{
	const char *lf;

	if (s.n > 0 && s.p[0] == '.')
		return s.p;
	lf = memmem(s.p, s.n, "\n.", 2);
	return lf ? lf + 1 : NULL;
}

/* next_dot - the same, of the lines below the one of `dot` */
static const char *next_dot(struct str s, const char *dot)
{
	const char *lf = memmem(dot, s.n - (size_t)(dot - s.p), "\n.", 2);

	return lf ? lf + 1 : NULL;
}

uint64_t message_size(struct sieve_message *m)
{
	struct str s = m->octets;

	if (m->size > 0)
		return m->size;
	m->size = s.n;
	if (m->stored)
		for (const char *dot = first_dot(s); dot != NULL; dot = next_dot(s, dot))
			m->size--;
	return m->size;
}

static struct str unstuff(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n);
	const char *from = s.p, *end = s.p + s.n;
	size_t n = 0;

	for (const char *dot = first_dot(s); dot != NULL; dot = next_dot(s, dot)) {
		memcpy(p + n, from, (size_t)(dot - from));
		n += (size_t)(dot - from);
		from = dot + 1;
	}
	memcpy(p + n, from, (size_t)(end - from));
	return (struct str){p, n + (size_t)(end - from)};
}

struct str message_body(struct sieve_message *m)
{
	if (m->has_body)
		return m->body;
	m->has_body = true;
	m->body = m->rest;
	if (m->stored && first_dot(m->rest) != NULL)
		m->body = unstuff(&m->arena, m->rest);
	return m->body;
}

struct mime_part *message_root(struct sieve_message *m)
{
	if (m->root == NULL)
		m->root = mime_parse(&m->arena, &m->header, message_body(m));
	return m->root;
}
