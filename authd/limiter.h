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
 * logged in from before, and what comes from no network that is known here: by a web mail
 * program on this machine, an MTA.  There the owner and a stranger look the same, so that both
 * are slowed down, but by `user_ms` at most and in no line: strangers cannot keep him out, and
 * who serves thousands of users is slowed down for the one that is tried.  What a user has
 * against him ends at LIMITER_USER_MOST, so that he is soon rid of it.  A failed try is
 * forgiven after LIMITER_FORGIVE_MS.
 *
 *   limiter_begin(l, who, now, &turn)     may it be judged?
 *   wait = limiter_end(l, who, &turn, ok, now)
 *
 * Who fetches verifiers (authd/lookup.h) does not say what came of it, but no proof by SCRAM
 * is judged without: each look-up counts as a try of its user, apart from the others, with
 * more that cost nothing.
 *
 *   wait = limiter_look_up(l, user, now)
 *
 * Everything is in tables of a fixed size under keyed hashes, where the oldest goes.
 *
 * Limits:  LIMITER_ENTRIES networks, users and users of look-ups, as many pairs of a user and
 *          a network.
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
	LIMITER_LINE_MS = 20000,    /* what would have to wait longer is not judged */
	LIMITER_FORGIVE_MS = 10000,
	LIMITER_USER_MOST = 16, /* failures of a user; the rest is not remembered */
	LIMITER_LOOK_UPS = 30,  /* that cost nothing */
	LIMITER_LOOK_UP_FORGIVE_MS = 5000,
	LIMITER_WORST = 5,
};

struct limiter;

/* `user_ms`: how long a user's own count has anybody wait, at most; 0: it does not. */
struct limiter *limiter_new(uint32_t user_ms);
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

/* How long to wait before the verifiers of `user`, canonical or as typed, are given. */
uint32_t limiter_look_up(struct limiter *l, struct str user, uint64_t now_ms);

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
