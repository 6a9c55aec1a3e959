/* SPDX-License-Identifier: ISC */
/*
 * lookup - the verifiers of an account, for an MTA that speaks SCRAM itself
 *
 * Who has them can check a proof that somebody knows the password, and try passwords at home,
 * as fast as a computer can; he cannot log in with them.  They are given on sockets of
 * auth.listen alone: it is the operator who hands these to an MTA.  A password is never given,
 * recoverable or not.
 *
 * For a name that nobody has, an account that may not log in, and one that has no verifiers
 * there are some that no password fits, the same each time: so the MTA's client learns in the
 * end that he is refused, and not why, nor sooner.
 *
 * Threads: any.
 * Tests:   t/unit/authd/lookup.c
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "auth/scram.h"
#include "authd/judge.h"

enum { LOOKUP_VERIFIERS_MAX = SCRAM_HASHES * SCRAM_TEXT_MAX };

/* 0 with the verifiers, a blank between two, and out->wait_ms, for each is a try as far as can
 * be told here (authd/limiter.h); or -1 with what *out says (AUTH_TRY_AGAIN).  `verifiers` is a
 * secret buffer. */
int lookup_verifiers(struct judge *j, const struct question *q, struct buf *verifiers,
		     struct auth_answer *out);

#endif
