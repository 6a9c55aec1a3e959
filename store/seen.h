/* SPDX-License-Identifier: ISC */
/*
 * seen - which messages check knows to be in whose maildrop, in bounded memory
 *
 * Check meets each pair of account and message twice: among the lines of the maildrop,
 * and among the slots of the message.  What it saw the first time it need not look for
 * the second time.  Of what does not fit, or was seen by the run that this one goes on
 * for, the maildrop is read again; those that cost most to read are remembered whole.
 *
 * What is remembered may be older than what is there.  So it can say that a message is in a
 * maildrop, and then nothing is wrong; whoever gets a "no" has to look.
 *
 * Owns:   its memory; {.max = ...} is empty, seen_fini() ends it.
 * Limits: `max` octets for the pairs, and as many for the maildrops; while the pairs grow,
 *         half as many for a moment.  One maildrop may pass the bound alone: it was in
 *         memory anyway to be read.
 * Tests:  t/unit/store/seen.c  t/crash/test_check_large.py
 */
#ifndef SEEN_H
#define SEEN_H

#include "store/account.h"

/* Three million pairs. */
enum { SEEN_OCTETS = 32 << 20, SEEN_DROPS = 1024 };

struct seen_drop {
	uint64_t uid; /* 0: a free place */
	uint64_t *ids;
	size_t n;
	bool damaged;
};

struct seen {
	size_t max;
	uint64_t *pairs;
	size_t size, used;
	struct seen_drop *drops; /* SEEN_DROPS places, by uid; NULL before the first */
	size_t octets, hand;     /* of ids; the next to be forgotten */
	uint64_t reads;          /* of maildrops */
};

void seen_put(struct seen *s, uint64_t uid, uint64_t id);
/* True also when the maildrop is damaged, which is said elsewhere. */
bool seen_has(struct seen *s, struct store *store, const struct account *a, uint64_t id);
void seen_fini(struct seen *s);

#endif
