/* SPDX-License-Identifier: ISC */
/*
 * load - many turns of a conversation at once, timed
 *
 * A turn is what a program under t/bench measures: a POP3 session, a message by LMTP, a
 * question to a policy server.  The program describes it (struct load_kind); load_run() runs
 * it over `connections` connections in `threads` threads, each of which has an epoll of its
 * own and shares nothing, and prints one line of JSON.
 *
 *   closed loop   rate=0: a connection begins its next turn when the last is done.  What is
 *                 measured is how much the server can do.
 *   open loop     rate=N: turns are due at fixed times, whatever the server does.  A turn that
 *                 finds no free connection waits for one, and its time counts from when it was
 *                 due, so that a stall is seen by all it kept waiting.  One that was not
 *                 over LOAD_DRAIN_S after the last was due is an error.
 *
 * Turns that are due in the first `warmup` seconds are not counted, nor are, in the closed
 * loop, those that end after the last second.  With count=N there are exactly N turns, all
 * counted.  A turn that fails is an error: the program's exit status tells, and after
 * LOAD_ERRORS_MAX it gives up.
 *
 * hold=yes keeps every connection once its turn is done; when all are held, {"held": N} is
 * printed, and SIGTERM ends it.
 *
 * Owns:    slots and connections, for the time of load_run().
 * Limits:  at most LOAD_TIMES kinds of times.
 * Threads: the functions of a kind run in the thread of their slot.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "lib/buf.h"
#include "t/bench/lib/link.h"
#include "t/bench/lib/options.h"

#include <stdint.h>

enum { LOAD_TIMES = 12, LOAD_ERRORS_MAX = 1000, LOAD_STALL_S = 60, LOAD_DRAIN_S = 10 };

struct load_worker;

/* One connection and the turn it is in; the first member of a program's own slot. */
struct load_slot {
	struct link link;
	struct load_worker *worker;
	uint64_t index;   /* of the connection, over all threads */
	uint64_t turns;   /* that it began before */
	uint64_t number;  /* of the turn, from 0 on, counted over all threads */
	uint64_t due_ns;  /* when the turn was to begin */
	uint64_t mark_ns; /* load_mark(): when what is waited for was asked */
	bool busy;
};

struct load_kind {
	const char *what;              /* "pop3" */
	const char *times[LOAD_TIMES]; /* names of what is timed; NULL ends them */
	size_t slot_size;
	void (*begin)(struct load_slot *s); /* a turn is due; the link may be open */
	link_input_fn *input;               /* the link is a struct load_slot */
};

/* Options of every load. */
extern const struct option_row load_options[];

/* Names and messages of a turn. */
extern const char *load_name; /* name=user%@example.org: % is the number */
struct load_slot;
uint64_t load_user(uint64_t n); /* the n-th user: in sequence, or at random */
/* Whose mail this turn is about.  In the closed loop, in sequence, no two connections have the
 * same user, so that none finds a maildrop in use. */
uint64_t load_owner(const struct load_slot *s);
void load_put_name(struct buf *to, uint64_t user);

/* Ends the program's run: EX_OK, or EX_SOFTWARE when a turn failed. */
int load_run(const struct load_kind *kind);

/* For the functions of a kind. */
bool load_holds(void);               /* hold=yes */
void load_open(struct load_slot *s); /* opens the link, or fails the turn */
void load_mark(struct load_slot *s);
void load_timed(struct load_slot *s, unsigned which);      /* since load_mark() */
void load_timed_turn(struct load_slot *s, unsigned which); /* since the turn was due */
void load_octets(struct load_slot *s, uint64_t n);         /* of mail, that were moved */
void load_done(struct load_slot *s);
/* Closes the link.  Says why, for the first few. */
void load_failed(struct load_slot *s, const char *why, struct str what);

#endif
