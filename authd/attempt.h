/* SPDX-License-Identifier: ISC */
/*
 * attempt - one try to log in: its turn, its user, its end
 *
 * Whoever is refused is refused in one way and after one time: an unknown name, a wrong
 * password, a disabled account.  The answer is chosen here, so the true reason goes into the
 * log from here, and never a password.
 *
 * A source that fails is passed over and remembered: where none says yes, the answer is
 * `later`; it is a try that failed all the same if another source has said no.
 *
 * With `transition`, a user who has a secret is judged by it alone, or a password that he has
 * changed would go on being good at the old server.  The other sources are asked about a wrong
 * one all the same, and what they say does not count: neither the time nor a `later` tells who
 * has a secret by now.
 *
 * Threads: one, for each attempt.
 * Tests:   t/unit/authd/judge.c  t/unit/authd/exchange.c  t/box/test_authd.py
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include "authd/judge.h"
#include "authd/user.h"

struct attempt {
	struct judge *judge;
	const struct question *q;
	unsigned mechanism;
	struct str user;   /* as typed: for the log, and for what counts tries */
	struct name name;  /* canonical, "" where it can be no name */
	struct str folder; /* that is to be opened, as typed; "": none */
	struct limiter_turn turn;
	bool has_turn;
	uint64_t profile_stamp; /* of the account's, for the ticket; 0: not known */
};

/* Takes its turn (authd/limiter.h) and asks whether the connection may use the mechanism.
 * False: it is answered already.  The user may be known later. */
bool attempt_begin(struct attempt *t, struct judge *j, const struct question *q,
		   unsigned mechanism, struct auth_answer *out) MUST_USE;

/* From t->user to the account, which is one only where this is USER_FOUND, and the rule that
 * holds, in any case.  USER_UNKNOWN, too, where the rule does not allow the mechanism. */
enum user_result attempt_find(struct attempt *t, struct account *a,
			      const struct rule **rule, struct err *e);
/* The same for proofs that only the secret can judge: USER_UNKNOWN, too, where the rule does
 * not ask it. */
enum user_result attempt_find_secret(struct attempt *t, struct account *a, struct err *e);

/* All of it, by a password, from here to the end. */
void attempt_password(struct attempt *t, struct str password, struct auth_answer *out);
/* The end, after a proof of being `user` that needed no password here. */
void attempt_proof(struct attempt *t, struct auth_answer *out);
void attempt_refuse(struct attempt *t, const struct err *why, struct auth_answer *out);
void attempt_fail(struct attempt *t, const struct err *why, struct auth_answer *out);

#endif
