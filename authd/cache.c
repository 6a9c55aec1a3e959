/* SPDX-License-Identifier: ISC */
#include "authd/cache.h"

#include "lib/hmac.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

enum { CHOICES = 2, WAYS = 8, KEY_OCTETS = 32, SUM_OCTETS = HMAC_OCTETS };

struct entry {
	unsigned char sum[SUM_OCTETS];
	uint64_t until_ms, used_ms; /* used_ms 0: free */
	struct cache_value value;
};

struct cache {
	pthread_mutex_t lock;
	unsigned char key[KEY_OCTETS];
	struct entry *entries;
	size_t sets;
	struct cache_state state;
};

struct cache *cache_new(size_t entries)
{
	struct cache *c = xalloc(sizeof *c);

	c->sets = (entries + WAYS - 1) / WAYS;
	c->entries = xalloc(c->sets * WAYS * sizeof *c->entries);
	must(RAND_bytes(c->key, sizeof c->key) == 1);
	must(pthread_mutex_init(&c->lock, NULL) == 0);
	return c;
}

void cache_free(struct cache **c)
{
	if (*c == NULL)
		return;
	OPENSSL_cleanse((*c)->key, sizeof(*c)->key);
	OPENSSL_cleanse((*c)->entries, (*c)->sets * WAYS * sizeof(struct entry));
	xfree(&(*c)->entries);
	pthread_mutex_destroy(&(*c)->lock);
	xfree(c);
}

/* sum_of - the password's under the name's, so that no two pairs are one text */
static void sum_of(const struct cache *c, struct str name, struct str password,
		   unsigned char out[SUM_OCTETS])
{
	unsigned char name_sum[SUM_OCTETS];

	hmac_sha256((struct str){(const char *)c->key, KEY_OCTETS}, name, name_sum);
	hmac_sha256((struct str){(const char *)name_sum, SUM_OCTETS}, password, out);
}

/* set_of - one of the two that an entry may be in.  It goes where there is more room, so that
 * nearly all are filled before anything is driven out: of one set each, some are full while
 * the cache is half empty. */
static struct entry *set_of(struct cache *c, const unsigned char sum[SUM_OCTETS],
			    int which)
{
	uint64_t number;

	memcpy(&number, sum + sizeof number * (size_t)which, sizeof number);
	return &c->entries[number % c->sets * WAYS];
}

/* find - the entry of this sum, or NULL */
static struct entry *find(struct cache *c, const unsigned char sum[SUM_OCTETS])
{
	for (int which = 0; which < CHOICES; which++) {
		struct entry *set = set_of(c, sum, which);

		for (size_t i = 0; i < WAYS; i++)
			if (set[i].used_ms != 0 &&
			    CRYPTO_memcmp(set[i].sum, sum, SUM_OCTETS) == 0)
				return &set[i];
	}
	return NULL;
}

/* oldest_of - free ones are the oldest; *room tells how many these are */
static struct entry *oldest_of(struct entry *set, size_t *room)
{
	struct entry *oldest = set;

	*room = 0;
	for (size_t i = 0; i < WAYS; i++) {
		*room += set[i].used_ms == 0;
		if (set[i].used_ms < oldest->used_ms)
			oldest = &set[i];
	}
	return oldest;
}

static struct entry *place(struct cache *c, const unsigned char sum[SUM_OCTETS])
{
	size_t room, other_room;
	struct entry *x = oldest_of(set_of(c, sum, 0), &room);
	struct entry *other = oldest_of(set_of(c, sum, 1), &other_room);

	if (other_room > room || (room == 0 && other->used_ms < x->used_ms))
		x = other;
	c->state.entries += x->used_ms == 0;
	return x;
}

void cache_put(struct cache *c, struct str name, struct str password,
	       const struct cache_value *v, uint64_t now_ms, uint64_t until_ms)
{
	struct entry new = {
		.until_ms = until_ms, .used_ms = now_ms ? now_ms : 1, .value = *v};

	sum_of(c, name, password, new.sum);
	must(pthread_mutex_lock(&c->lock) == 0);

	struct entry *old = find(c, new.sum);

	if (old == NULL)
		old = place(c, new.sum);
	*old = new;
	must(pthread_mutex_unlock(&c->lock) == 0);
}

bool cache_find(struct cache *c, struct str name, struct str password, uint64_t now_ms,
		struct cache_value *out)
{
	unsigned char sum[SUM_OCTETS];

	sum_of(c, name, password, sum);
	must(pthread_mutex_lock(&c->lock) == 0);

	struct entry *x = find(c, sum);
	bool found = x != NULL && now_ms < x->until_ms;

	if (found) {
		*out = x->value;
		out->until_ms = x->until_ms;
		x->used_ms = now_ms ? now_ms : 1;
		c->state.hits++;
	} else {
		c->state.misses++;
	}
	must(pthread_mutex_unlock(&c->lock) == 0);
	return found;
}

void cache_get_state(struct cache *c, struct cache_state *out)
{
	must(pthread_mutex_lock(&c->lock) == 0);
	*out = c->state;
	must(pthread_mutex_unlock(&c->lock) == 0);
}
