/* SPDX-License-Identifier: ISC */
#include "filter/filter_cache.h"

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

struct entry {
	struct filter_compiled compiled; /* first: what callers have a pointer to */
	uint64_t hash;                   /* only to look at few texts */
	struct str text;
	unsigned users;
	uint64_t used; /* the number of its last use */
};

struct filter_cache {
	const struct sieve_site *site;
	char *name;
	pthread_mutex_t mutex; /* guards all below */
	struct entry *entries[FILTER_CACHE_ENTRIES];
	size_t n, octets;
	uint64_t uses, compiled;
};

struct filter_cache *filter_cache_new(const struct sieve_site *site, const char *name)
{
	struct filter_cache *c = xalloc(sizeof *c);

	c->site = site;
	c->name = xstrdup(name);
	must(pthread_mutex_init(&c->mutex, NULL) == 0);
	return c;
}

static void entry_free(struct entry *x)
{
	must(x->users == 0);
	sieve_script_free(&x->compiled.script);
	xfree(&x->text.p);
	xfree(&x);
}

void filter_cache_free(struct filter_cache **c)
{
	if (*c == NULL)
		return;
	for (size_t i = 0; i < (*c)->n; i++)
		entry_free((*c)->entries[i]);
	pthread_mutex_destroy(&(*c)->mutex);
	xfree(&(*c)->name);
	xfree(c);
}

static void lock(struct filter_cache *c)
{
	must(pthread_mutex_lock(&c->mutex) == 0);
}

static void unlock(struct filter_cache *c)
{
	must(pthread_mutex_unlock(&c->mutex) == 0);
}

/* find - and use; under the lock */
static struct entry *find(struct filter_cache *c, struct str text, uint64_t hash)
{
	for (size_t i = 0; i < c->n; i++) {
		struct entry *x = c->entries[i];

		if (x->hash != hash || !str_eq(x->text, text))
			continue;
		x->users++;
		x->used = ++c->uses;
		return x;
	}
	return NULL;
}

/* drop_oldest - false: all of them are in use */
static bool drop_oldest(struct filter_cache *c)
{
	size_t oldest = c->n;

	for (size_t i = 0; i < c->n; i++)
		if (c->entries[i]->users == 0 &&
		    (oldest == c->n || c->entries[i]->used < c->entries[oldest]->used))
			oldest = i;
	if (oldest == c->n)
		return false;
	c->octets -= c->entries[oldest]->text.n;
	entry_free(c->entries[oldest]);
	c->entries[oldest] = c->entries[--c->n];
	return true;
}

/* keep - where there is room; what there is none for is its user's alone */
static void keep(struct filter_cache *c, struct entry *x)
{
	while (c->n > 0 && (c->n == FILTER_CACHE_ENTRIES ||
			    c->octets + x->text.n > FILTER_CACHE_OCTETS))
		if (!drop_oldest(c))
			break;
	if (c->n == FILTER_CACHE_ENTRIES || c->octets + x->text.n > FILTER_CACHE_OCTETS)
		return;
	c->entries[c->n++] = x;
	c->octets += x->text.n;
}

static struct entry *compile(const struct filter_cache *c, struct str text, uint64_t hash)
{
	struct entry *x = xalloc(sizeof *x);
	struct sieve_errors errors = {0};
	char *copy = xalloc(text.n + 1);

	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	x->text = (struct str){copy, text.n};
	x->hash = hash;
	x->users = 1;
	x->compiled.script = sieve_compile(text, c->name, c->site, &errors);
	if (errors.n > 0)
		x->compiled.error = errors.list[0];
	sieve_errors_fini(&errors);
	return x;
}

const struct filter_compiled *filter_cache_get(struct filter_cache *c, struct str text)
{
	uint64_t hash = XXH3_64bits(text.p, text.n);
	struct entry *x, *other;

	lock(c);
	x = find(c, text, hash);
	unlock(c);
	if (x != NULL)
		return &x->compiled;
	x = compile(c, text, hash);
	lock(c);
	c->compiled++;
	other = find(c, text, hash); /* somebody was faster */
	if (other == NULL) {
		x->used = ++c->uses;
		keep(c, x);
	}
	unlock(c);
	if (other == NULL)
		return &x->compiled;
	x->users = 0;
	entry_free(x);
	return &other->compiled;
}

/* is_kept - under the lock */
static bool is_kept(const struct filter_cache *c, const struct filter_compiled *compiled)
{
	for (size_t i = 0; i < c->n; i++)
		if (&c->entries[i]->compiled == compiled)
			return true;
	return false;
}

void filter_cache_put_back(struct filter_cache *c, const struct filter_compiled *compiled)
{
	/* It is the first thing in an entry, and that is ours. */
	struct entry *x = (struct entry *)(uintptr_t)compiled;
	bool kept;

	lock(c);
	x->users--;
	kept = is_kept(c, compiled);
	unlock(c);
	if (!kept)
		entry_free(x);
}

uint64_t filter_cache_compiled(struct filter_cache *c)
{
	uint64_t n;

	lock(c);
	n = c->compiled;
	unlock(c);
	return n;
}
