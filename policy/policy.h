/* SPDX-License-Identifier: ISC */
/*
 * policy - Postfix's policy delegation protocol, with no I/O in it
 *
 * A request is lines of name=value up to an empty line, the answer is one line
 * "action=..." and an empty line; then the next request may follow (Postfix,
 * SMTPD_POLICY_README).  Feed it bytes, and when it wants a verdict, ask the store
 * about policy_recipient() and policy_size(), give the verdict back, and write
 * out what policy_output() holds.
 *
 * What is judged depends on the stage of the SMTP dialogue (protocol_state):
 *   RCPT            the recipient, with the size announced in MAIL FROM, if any
 *   DATA            the same, if there is one recipient only: Postfix does not
 *                   say which when there are more
 *   END-OF-MESSAGE  the same with the true size
 *   any other       no opinion
 *
 * The answer to a verdict that accepts, and to NOT_OURS, is DUNNO and never OK:
 * OK would end Postfix's list of restrictions and make an open relay of a
 * list in the wrong order.
 *
 * A request that breaks the protocol is not answered: the connection has to be
 * closed, and Postfix defers (451 4.3.5).  So does one with a name that we use
 * given twice: that is somebody else's text in our request.
 *
 * Owns:   the request so far and the answer.
 * Limits: POLICY_REQUEST_MAX octets a request.
 * Tests:  t/unit/policy/policy.c  t/fuzz/policy.c  t/box/test_policy.py
 */
#ifndef POLICY_H
#define POLICY_H

#include "lib/buf.h"
#include "store/verdict.h"

enum { POLICY_REQUEST_MAX = 16384 };

enum policy_want {
	POLICY_WANT_INPUT,   /* policy_feed() more */
	POLICY_WANT_VERDICT, /* judge policy_recipient(), then policy_answer() */
	POLICY_WANT_CLOSE,   /* policy_broken() says why */
};

struct policy;

struct policy *policy_new(void);
void policy_free(struct policy **p);

/* Takes in at most one request; returns how many octets it used. */
size_t policy_feed(struct policy *p, struct str in);
enum policy_want policy_want(const struct policy *p);
struct buf *policy_output(struct policy *p); /* borrowed; the caller drains it */
bool policy_idle(const struct policy *p);    /* between two requests */
const char *policy_broken(const struct policy *p);

/* While a verdict is wanted; borrowed: until policy_answer(). */
struct str policy_recipient(const struct policy *p); /* for verdict_of_plain() */
uint64_t policy_size(const struct policy *p);        /* 0 = not known */
struct str policy_queue_id(const struct policy *p);  /* "" = not known */
void policy_answer(struct policy *p, const struct verdict *v);

#endif
