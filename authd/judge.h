/* SPDX-License-Identifier: ISC */
/*
 * judge - what authd answers to a question; see authd/attempt.h and authd/exchange.h
 *
 * Owns:    what struct judge points to, but settings and store.
 * Threads: any.
 * Tests:   t/unit/authd/judge.c  t/box/test_authd.py
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "authd/cache.h"
#include "authd/core.h"
#include "authd/limiter.h"
#include "authd/rules.h"
#include "store/store.h"

struct judge {
	const struct settings *set;
	struct store *store;
	struct rules *rules;
	struct limiter *limiter;
	struct cache *cache; /* NULL: auth.cache_time is 0 */
	struct network *trusted;
	unsigned mechanisms; /* that can be had */
	struct ticket_key key;
	bool has_key; /* of popstored; run alone, there is none */
};

/* `set` and `store` are borrowed until the end.  One judge a process, since Cyrus SASL is
 * begun with it. */
int judge_init(struct judge *j, const struct settings *set, struct store *store,
	       struct err *e) MUST_USE;
void judge_fini(struct judge *j);

void judge_offer(struct judge *j, const struct question *q, struct auth_offer *out);
void judge_password(struct judge *j, const struct question *q, struct auth_answer *out);
void judge_apop(struct judge *j, const struct question *q, struct auth_answer *out);

/* Whether this connection may use it at all, whoever the user is; else *e says why not. */
bool judge_has_mechanism(struct judge *j, const struct question *q, unsigned mechanism,
			 struct err *e);

#endif
