/* SPDX-License-Identifier: ISC */
/*
 * core - one conversation with authd (doc/AUTH.md), with no I/O in it
 *
 *            question                       challenge
 *   IDLE ---------------> (wish) --------------------------> EXCHANGE
 *    ^                      |                                |      |
 *    +----- answer ---------+          (wish) <----- step ---+      | abort
 *    ^                        |                                     |
 *    +------------------------+---- any other answer ---------------+
 *
 * Feed it octets, write out what core_output() holds, do what core_want() asks, and say what
 * came of it by core_answer() or core_offer().  Within an exchange of SASL nothing is
 * answered but `step` and `abort`, and outside of one those two end the conversation.
 *
 * Owns:   the question's values, which hold passwords and are wiped with the answer, and the
 *         output.
 * Limits: auth/wire.h; CORE_NAMES names of a certificate; a value that is a C string here
 *         has no NUL.
 * Tests:  t/unit/authd/core.c  t/fuzz/authd.c
 */
#ifndef CORE_H
#define CORE_H

#include "auth/auth.h"
#include "auth/wire.h"

enum { CORE_NAMES = 32 };

enum core_want {
	CORE_WANT_INPUT,
	CORE_WANT_OFFER,    /* core_offer() */
	CORE_WANT_PASSWORD, /* these five: core_answer() */
	CORE_WANT_APOP,
	CORE_WANT_SASL, /* begin an exchange */
	CORE_WANT_STEP, /* of the exchange that was begun */
	CORE_WANT_CHANGE,
	CORE_WANT_LOOKUP, /* only of a foreign program: core_verifiers(), or core_answer() */
	CORE_WANT_ABORT, /* the exchange is over: core_answer() with AUTH_REFUSED */
	CORE_WANT_CLOSE, /* core_broken() says why */
};

/* What was asked; an absent value is empty.  Of an exchange, it is what stood in `sasl`, and
 * `data` of the last step. */
struct question {
	const char *service, *sid, *client, *server;
	bool tls, loopback;
	struct str exporter, end_point;
	struct str subject, names[CORE_NAMES]; /* of the client's certificate */
	size_t n_names;
	struct str user, password, new_password; /* password, change; user of lookup */
	struct str challenge, digest;            /* apop */
	struct str mechanism, data;              /* sasl, step */
	bool has_data;
};

struct core;

/* `foreign`: another program than ours asks, for which the service may only be `smtp`. */
struct core *core_new(bool foreign);
void core_free(struct core **c);

/* Takes in at most one question; returns how many octets it used. */
size_t core_feed(struct core *c, struct str in);
enum core_want core_want(const struct core *c);
const struct question *core_question(const struct core *c); /* until the answer */
struct buf *core_output(struct core *c);

void core_answer(struct core *c, const struct auth_answer *a);
void core_offer(struct core *c, const struct auth_offer *o);
/* `wait_ms`: before they are used. */
void core_verifiers(struct core *c, struct str verifiers, uint32_t wait_ms);

bool core_idle(const struct core *c); /* no part of a question is here */
bool core_in_exchange(const struct core *c);
const char *core_broken(const struct core *c);

#endif
