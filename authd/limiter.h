/* SPDX-License-Identifier: ISC */
/*
 * limiter - how fast passwords may be tried, for all services together
 *
 * A try takes a turn in the line of its network: it is judged at once, but its answer may
 * not be told before its turn has come, and each try that failed makes the turns longer.
 * So a thousand connections at once learn no more than one, and nobody sleeps here: the time
 * to wait goes with the answer, a right one's, too.  A line that is too long takes no more.
 *
 * A user has a count of his own, which slows down what comes from networks that he has not
 * logged in from before, by LIMITER_USER_MS at most and in no line: strangers cannot keep
 * him out.  A failed try is forgiven after LIMITER_FORGIVE_MS.
 *
 *   limiter_begin(l, who, now, &turn)     may it be judged?
 *   wait = limiter_end(l, who, &turn, ok, now)
 *
 * Everything is in tables of a fixed size under keyed hashes, where the oldest goes.
 *
 * Limits:  LIMITER_ENTRIES networks and users, as many pairs of them.
 * Threads: any.  The clock is the caller's, and must not go back by more than it takes a
 *          thread to come from it to here.
 * Tests:   t/unit/authd/limiter.c
 */
#ifndef LIMITER_H
#define LIMITER_H

#include "lib/network.h"

enum {
	LIMITER_ENTRIES = 16384,
	LIMITER_FREE = 5,           /* failed tries that cost nothing */
	LIMITER_FIRST_MS = 100,     /* the next one, and twice as much each time */
	LIMITER_NETWORK_MS = 10000, /* at most, of a network */
	LIMITER_USER_MS = 3000,     /* at most, of a user */
	LIMITER_LINE_MS = 20000,    /* what would have to wait longer is not judged */
	LIMITER_FORGIVE_MS = 10000,
	LIMITER_WORST = 5,
};

struct limiter;

struct limiter *limiter_new(void);
void limiter_free(struct limiter **l);

struct limiter_who {
	bool has_network;       /* not of a Unix socket, loopback, or what is trusted */
	struct network network; /* network_around() */
	struct str user;        /* canonical, or as typed; "": not known yet */
};

struct limiter_turn {
	uint64_t at_ms; /* when the answer may be told */
};

/* False: too many are before it; nothing is to be judged or counted. */
bool limiter_begin(struct limiter *l, const struct limiter_who *who, uint64_t now_ms,
		   struct limiter_turn *out) MUST_USE;
/* How long to wait before the answer is told. */
uint32_t limiter_end(struct limiter *l, const struct limiter_who *who,
		     const struct limiter_turn *t, bool ok, uint64_t now_ms);
/* It was not judged (a source was away): as if it had not been tried. */
void limiter_undo(struct limiter *l, const struct limiter_who *who, uint64_t now_ms);

struct limiter_worst {
	char network[NETWORK_TEXT];
	uint32_t failures;
};

struct limiter_state {
	uint64_t entries;                      /* networks and users with failures */
	uint64_t refused_minute, refused_hour; /* failed tries, and those not judged */
	struct limiter_worst worst[LIMITER_WORST];
	size_t n_worst;
};

void limiter_get_state(struct limiter *l, uint64_t now_ms, struct limiter_state *out);

#endif
