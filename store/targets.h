/* SPDX-License-Identifier: ISC */
/*
 * targets - what one recipient stands for
 *
 * An account stands for itself.  A forwarding stands for all its targets, those of
 * forwardings among them included; a name that was met before is not followed
 * again, so cycles end, and an account that is met twice is one target.
 *
 * LMTP has one reply for a recipient, however many targets it has, and a reply
 * that is wrong for one of them loses mail or makes the MTA send it again and
 * again to the others.  So a recipient takes one of three ways:
 *
 *   TARGETS_STORE  all targets are accounts that may receive: slots of the one
 *                  copy.  Should one of them still fail at the end, the
 *                  delivery agent mails the message to that one
 *                  (channel/session.h).
 *   TARGETS_MAIL   none is: one run of sendmail(1) for all of them.  The MTA has
 *                  it for all or for none, and what becomes of each single one,
 *                  also of an account here that is full today, is what its queue
 *                  is for.
 *   TARGETS_BOTH   some are, which keep a copy; the others are mailed.
 *
 * A recipient of whose targets none may receive is refused (TARGETS_NONE): by
 * the reply of the first that may be tried again, or else of the first.
 *
 * Owns:   the array.  targets_fini() ends it.
 * Limits: FORWARDING_DEPTH; TARGETS_MAX targets (550 5.2.4).
 * Tests:  t/unit/store/targets.c
 */
#ifndef TARGETS_H
#define TARGETS_H

#include "store/verdict.h"

struct store;

enum { TARGETS_MAX = 1000 };

/* Of LMTP. */
struct targets_reply {
	unsigned code;
	const char *dsn;  /* "5.2.4" */
	const char *text; /* one line */
};

enum targets_way { TARGETS_NONE, TARGETS_STORE, TARGETS_MAIL, TARGETS_BOTH };

struct target {
	struct address address;
	struct account account; /* of one that is ours */
	bool ours;              /* an account here that may receive */
	size_t slot;            /* for the caller */
};

struct targets {
	enum targets_way way;
	bool returns;               /* a bounce, to who sent something once (verdict.h) */
	struct targets_reply reply; /* to RCPT; static strings */
	const char *word;           /* the verdict's, for the log */
	struct err why;             /* for the log, where something failed */
	size_t n, cap;
	struct target *v;
};

/* `address` is what stood between < and >.  Never fails: what cannot be told is
 * TARGETS_NONE with 451. */
void targets_of(struct store *s, struct str address, uint64_t size, struct targets *out);
void targets_fini(struct targets *t); /* {0} is fine */

#endif
