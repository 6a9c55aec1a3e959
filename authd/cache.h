/* SPDX-License-Identifier: ISC */
/*
 * cache - which password was right a short while ago
 *
 * A device that polls every few minutes would cost a slow hash each time.  Kept is no
 * password and no name but an HMAC-SHA256 of both under a random key of this process, with
 * what the answer was for: the account's incarnation, the version of its secret, and by what
 * stamps the records were known that said so.  Who finds an entry has to compare with what
 * holds now, stamps or else incarnation and version: then a password that was changed, or an
 * account that was deleted or disabled, ends it at once.
 *
 * Only right passwords are kept; a wrong one costs what it costs, each time.
 *
 * Limits:  `entries`.  Of sixteen the one goes that was used longest ago, when these are taken; that
 *          comes to one in a thousand where 83 % of all are in use.
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
	uint64_t uid;      /* of the account */
	unsigned flags;    /* likewise */
	uint64_t version;  /* secret_version() */
	uint64_t set_ms;   /* of the secret */
	uint64_t until_ms; /* cache_find() says how long it is remembered */
	/* Of the records that all this was read from, see storage_stamp(). */
	uint64_t profile_stamp, secret_stamp;
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
