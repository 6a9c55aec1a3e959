/* SPDX-License-Identifier: ISC */
#include "sieve/message_int.h"

/* is_deleted - by one of the first n edits */
static bool is_deleted(const struct sieve_result *r, size_t n, const char *field)
{
	for (size_t i = 0; i < n; i++)
		if (r->edits[i].kind == SIEVE_DELETE && r->edits[i].field.p == field)
			return true;
	return false;
}

static void put_added(const struct sieve_result *r, size_t n, size_t i, bool stuff,
		      struct buf *out)
{
	const struct sieve_edit *e = &r->edits[i];

	if (is_deleted(r, n, e->field.p))
		return;
	if (stuff && e->field.p[0] == '.')
		buf_putc(out, '.');
	buf_put(out, e->field);
}

/* put_header - all of it but the fields that were deleted */
static void put_header(const struct sieve_message *m, const struct sieve_result *r,
		       size_t n, struct buf *out)
{
	const char *from = m->octets.p;

	for (size_t i = 0; i < m->header.n; i++) {
		struct str whole = m->header.fields[i].whole;

		if (!is_deleted(r, n, whole.p))
			continue;
		buf_put(out, (struct str){from, (size_t)(whole.p - from)});
		from = whole.p + whole.n;
	}

	const char *end = m->octets.p + m->header_octets;

	buf_put(out, (struct str){from, (size_t)(end - from)});
}

void sieve_edited(const struct sieve_message *m, const struct sieve_result *r,
		  size_t edits, struct buf *out)
{
	for (size_t i = edits; i > 0; i--)
		if (r->edits[i - 1].kind == SIEVE_ADD_FIRST)
			put_added(r, edits, i - 1, m->stored, out);
	put_header(m, r, edits, out);
	for (size_t i = 0; i < edits; i++)
		if (r->edits[i].kind == SIEVE_ADD_LAST)
			put_added(r, edits, i, m->stored, out);
	buf_put(out, (struct str){m->octets.p + m->header_octets,
				  m->octets.n - m->header_octets});
}
