/* SPDX-License-Identifier: ISC */
/*
 * cache - which password was right a short while ago
 *
 * A device that polls every few minutes would cost a slow hash each time.  Kept is no
 * password and no name but an HMAC-SHA256 of both under a random key of this process, with
 * what the answer was for: the account's incarnation, and the version of its secret.  Who
 * finds an entry has to compare both with what holds now: then a password that was changed,
 * or an account that was deleted, ends it at once.
 *
 * Only right passwords are kept; a wrong one costs what it costs, each time.
 *
 * Limits:  `entries`, of which the one used longest ago goes.
 * Threads: any.  The clock is the caller's, and must not go back.
 * Tests:   t/unit/authd/cache.c
 */
#ifndef CACHE_H
#define CACHE_H

#include "lib/str.h"

struct cache;

struct cache *cache_new(size_t entries);
void cache_free(struct cache **c);

struct cache_value {
	uint64_t uid;     /* of the account */
	uint64_t version; /* secret_version() */
	bool elsewhere;   /* another source than the store's secret said it */
};

/* Until `until_ms`. */
void cache_put(struct cache *c, struct str name, struct str password,
	       const struct cache_value *v, uint64_t now_ms, uint64_t until_ms);
bool cache_find(struct cache *c, struct str name, struct str password, uint64_t now_ms,
		struct cache_value *out);

struct cache_state {
	uint64_t hits, misses; /* since the start */
	uint64_t entries;      /* in use, perhaps not in force any more */
};

void cache_get_state(struct cache *c, struct cache_state *out);

#endif
