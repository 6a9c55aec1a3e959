/* SPDX-License-Identifier: ISC */
#include "store/seen.h"

#include "store/maildrop.h"

#include <stdlib.h>
#include <xxhash.h>

/* ---- pairs --------------------------------------------------------------------- */

static uint64_t hash_of(uint64_t uid, uint64_t id)
{
	uint64_t ids[2] = {uid, id}, hash = XXH3_64bits(ids, sizeof ids);

	return hash ? hash : 1;
}

/* cell_of - the one that holds the hash, or the free one where it would be */
static uint64_t *cell_of(const struct seen *s, uint64_t hash)
{
	size_t at = hash & (s->size - 1);

	while (s->pairs[at] != 0 && s->pairs[at] != hash)
		at = (at + 1) & (s->size - 1);
	return &s->pairs[at];
}

/* grow - false when there is no room for that */
static bool grow(struct seen *s)
{
	struct seen old = *s;
	size_t size = old.size ? old.size * 2 : 64;

	if (size * sizeof *s->pairs > s->max)
		return false;
	s->size = size;
	s->pairs = xalloc(s->size * sizeof *s->pairs);
	for (size_t i = 0; i < old.size; i++)
		if (old.pairs[i] != 0)
			*cell_of(s, old.pairs[i]) = old.pairs[i];
	xfree(&old.pairs);
	return true;
}

void seen_put(struct seen *s, uint64_t uid, uint64_t id)
{
	uint64_t hash = hash_of(uid, id), *cell;

	if (s->used * 4 >= s->size * 3 && !grow(s))
		return;
	cell = cell_of(s, hash);
	s->used += *cell == 0;
	*cell = hash;
}

static bool has_pair(const struct seen *s, uint64_t uid, uint64_t id)
{
	return s->size > 0 && *cell_of(s, hash_of(uid, id)) != 0;
}

/* ---- maildrops ------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct seen_drop read_drop(struct store *store, const struct account *a)
{
	struct seen_drop drop = {.uid = a->uid};
	struct maildrop *m;
	struct err ignored;

	if (maildrop_look(store, a, &m, &ignored) < 0) {
		drop.damaged = true;
		return drop;
	}
	drop.n = maildrop_count(m);
	drop.ids = xalloc((drop.n + 1) * sizeof *drop.ids);
	for (size_t i = 0; i < drop.n; i++)
		drop.ids[i] = maildrop_entry(m, i)->id;
	qsort(drop.ids, drop.n, sizeof *drop.ids, by_id);
	maildrop_close(&m);
	return drop;
}

static size_t octets_of(const struct seen_drop *d)
{
	return d->n * sizeof *d->ids;
}

static void forget(struct seen *s, struct seen_drop *d)
{
	s->octets -= octets_of(d);
	xfree(&d->ids);
	*d = (struct seen_drop){0};
}

/* is_dearer - which of two costs more to read again; of a damaged one nobody knows */
static bool is_dearer(const struct seen_drop *a, const struct seen_drop *b)
{
	return a->damaged || (!b->damaged && a->n > b->n);
}

/* keep - in the place of its uid, unless what is there is dearer */
static void keep(struct seen *s, struct seen_drop *d, struct seen_drop *place)
{
	if (place->uid != 0 && is_dearer(place, d)) {
		xfree(&d->ids);
		return;
	}
	forget(s, place);
	while (s->octets > 0 && s->octets + octets_of(d) > s->max)
		forget(s, &s->drops[s->hand++ % SEEN_DROPS]);
	s->octets += octets_of(d);
	*place = *d;
}

static bool drop_has(const struct seen_drop *d, uint64_t id)
{
	return d->damaged ||
	       (d->n > 0 && bsearch(&id, d->ids, d->n, sizeof id, by_id) != NULL);
}

bool seen_has(struct seen *s, struct store *store, const struct account *a, uint64_t id)
{
	struct seen_drop *place, drop;
	bool has;

	if (has_pair(s, a->uid, id))
		return true;
	if (s->drops == NULL)
		s->drops = xalloc(SEEN_DROPS * sizeof *s->drops);
	place = &s->drops[hash_of(a->uid, 0) % SEEN_DROPS];
	if (place->uid == a->uid)
		return drop_has(place, id);
	s->reads++;
	drop = read_drop(store, a);
	has = drop_has(&drop, id);
	keep(s, &drop, place);
	return has;
}

void seen_fini(struct seen *s)
{
	for (size_t i = 0; s->drops != NULL && i < SEEN_DROPS; i++)
		xfree(&s->drops[i].ids);
	xfree(&s->drops);
	xfree(&s->pairs);
	*s = (struct seen){.max = s->max};
}
