/* SPDX-License-Identifier: ISC */
#include "mail/header.h"

#include "mail/address_list.h"
#include "mail/encoded_word.h"

#include <string.h>

static uint32_t hash_name(struct str s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)ascii_lower(s.p[i])) * 16777619u;
	return h;
}

bool header_is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ':')
			return false;
	return s.n > 0;
}

/* ---- finding fields ------------------------------------------------------------------ */

/* line_end - octets of the first line, with its end */
static size_t line_end(struct str s)
{
	const char *lf = memchr(s.p, '\n', s.n);

	return lf ? (size_t)(lf - s.p) + 1 : s.n;
}

static bool is_empty_line(struct str s)
{
	return s.n > 0 &&
	       (s.p[0] == '\n' || (s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n'));
}

/* take_field - a line and those folded below it */
static struct str take_field(struct str *rest)
{
	size_t n = line_end(*rest);

	while (n < rest->n && (rest->p[n] == ' ' || rest->p[n] == '\t'))
		n += line_end((struct str){rest->p + n, rest->n - n});

	struct str whole = {rest->p, n};

	*rest = (struct str){rest->p + n, rest->n - n};
	return whole;
}

static struct str without_end(struct str s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

static bool split(struct str whole, bool stuffed, struct field *f)
{
	struct str rest = without_end(whole);

	if (stuffed && rest.n > 0 && rest.p[0] == '.')
		rest = (struct str){rest.p + 1, rest.n - 1};

	const char *colon = rest.n > 0 ? memchr(rest.p, ':', rest.n) : NULL;

	if (colon == NULL)
		return false;
	*f = (struct field){.whole = whole};
	f->name = str_trim((struct str){rest.p, (size_t)(colon - rest.p)});
	f->body = (struct str){colon + 1, rest.n - (size_t)(colon - rest.p) - 1};
	f->hash = hash_name(f->name);
	return header_is_name(f->name);
}

void header_index(struct header *h)
{
	memset(h->bucket, 0, sizeof h->bucket);
	for (size_t i = h->n; i > 0; i--) {
		uint32_t *bucket = &h->bucket[h->fields[i - 1].hash % HEADER_BUCKETS];

		h->fields[i - 1].next = *bucket;
		*bucket = (uint32_t)i;
	}
}

void header_parse(struct header *h, struct arena *a, struct str *text, bool stuffed)
{
	*h = (struct header){.arena = a};
	while (text->n > 0 && !is_empty_line(*text)) {
		struct field f;

		if (!split(take_field(text), stuffed, &f) || h->n >= HEADER_FIELDS)
			continue;
		h->fields = arena_push(a, h->fields, &h->n, sizeof *h->fields);
		h->fields[h->n - 1] = f;
	}
	if (text->n > 0) {
		size_t n = line_end(*text);

		*text = (struct str){text->p + n, text->n - n};
	}
	header_index(h);
}

struct field *header_find(const struct header *h, struct str name,
			  const struct field *after)
{
	uint32_t hash = hash_name(name);
	uint32_t i = after ? after->next : h->bucket[hash % HEADER_BUCKETS];

	for (; i != 0; i = h->fields[i - 1].next)
		if (h->fields[i - 1].hash == hash && str_ieq(h->fields[i - 1].name, name))
			return &h->fields[i - 1];
	return NULL;
}

/* ---- what is in a field --------------------------------------------------------------- */

static struct str trim(struct str s)
{
	while (s.n > 0 && ascii_is_blank(s.p[0]))
		s = (struct str){s.p + 1, s.n - 1};
	while (s.n > 0 && ascii_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str field_raw(struct arena *a, const struct field *f)
{
	struct str s = trim(f->body);

	if (memchr(s.p, '\n', s.n) == NULL)
		return s;

	char *p = arena_alloc(a, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		bool end = s.p[i] == '\n' ||
			   (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n');

		if (!end)
			p[n++] = s.p[i];
	}
	return (struct str){p, n};
}

/* plain - nothing in it to decode */
static bool plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80 ||
		    (s.p[i] == '=' && i + 1 < s.n && s.p[i + 1] == '?'))
			return false;
	return true;
}

struct str field_value(struct arena *a, struct field *f)
{
	if (f->decoded)
		return f->value;
	f->value = field_raw(a, f);
	f->decoded = true;
	if (plain(f->value))
		return f->value;

	struct buf out;

	/* An octet of some set becomes three at most. */
	buf_init(&out, f->value.n * 4 + 16);
	encoded_word_decode(f->value, &out);
	f->value = arena_str(a, trim(buf_str(&out)));
	buf_fini(&out);
	return f->value;
}

const struct address_list *field_addresses(struct arena *a, struct field *f)
{
	if (f->addresses == NULL)
		f->addresses = address_list_parse(a, field_raw(a, f));
	return f->addresses;
}
