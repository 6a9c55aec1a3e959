/* SPDX-License-Identifier: ISC */
/*
 * filter_cache - compiled scripts, by what is in them
 *
 * Most users have one of a few scripts, and each gets many messages.  A compiled script is
 * immutable and says nothing of whose it is, so all accounts with the same text share it;
 * what does not compile is kept as well, with its first error.  Texts themselves are compared:
 * nobody can aim at another's.
 *
 * Owns:    the scripts.  An entry that somebody uses stays, whatever is dropped.
 * Limits:  FILTER_CACHE_ENTRIES, FILTER_CACHE_OCTETS of text; the one that was not used for
 *          longest goes first.
 * Threads: any.
 * Tests:   t/unit/filter/filter_cache.c
 */
#ifndef FILTER_CACHE_H
#define FILTER_CACHE_H

#include "sieve/sieve.h"

enum { FILTER_CACHE_ENTRIES = 256, FILTER_CACHE_OCTETS = 8 << 20 };

struct filter_cache;

struct filter_compiled {
	struct sieve_script *script; /* NULL: `error` says why */
	struct sieve_error error;
};

/* `name` is what failures of all these scripts call them; `site` is borrowed. */
struct filter_cache *filter_cache_new(const struct sieve_site *site, const char *name);
void filter_cache_free(struct filter_cache **c); /* nobody uses an entry any more */

/* Never NULL; to be given back. */
const struct filter_compiled *filter_cache_get(struct filter_cache *c, struct str text);
void filter_cache_put_back(struct filter_cache *c, const struct filter_compiled *x);

/* How many scripts were compiled, for tests. */
uint64_t filter_cache_compiled(struct filter_cache *c);

#endif
