/* SPDX-License-Identifier: ISC */
/*
 * perform - sends on what filters and forwardings want to have sent on, and answers
 *
 * filter.h says what is to be done; this does it.  Mail goes out through sendmail(1), which
 * popstore-submitd runs (mail/outgoing.h): what that program has accepted is in the MTA's queue,
 * and what it has not is nowhere.
 *
 *   message itself   with the envelope sender as store/sender.h makes it (SRS), below a mark
 *                    (mail/onward.h) of the address for whose sake it goes
 *   answers          from the null sender, so that nothing comes back for them
 *
 * What must not be done twice is remembered (store/memory.h).  A vacation's answer is
 * remembered before it is sent, and forgotten if it could not be; a redirect after it was
 * accepted, under the message's retry key, so that a message that the MTA sends once more is
 * not sent on once more.  Where `duplicate` remembers something, and the account's maildrop did
 * not get the message, it is remembered with it that the message is settled: filtered once more
 * it would be a duplicate of itself.
 *
 * Logs:    lmtp.filter.sent, lmtp.filter.unsent, lmtp.memory.failed.
 * Threads: one owner.
 * Tests:   t/box/test_outgoing.py  t/box/test_mta_outgoing.py
 */
#ifndef PERFORM_H
#define PERFORM_H

#include "filter/filter.h"
#include "store/retry.h"

struct delivery;

/* Of one message; all borrowed. */
struct performer {
	struct store *store;
	int submit;                /* the channel to popstore-submitd */
	struct delivery *delivery; /* holds the message */
	uint64_t skip;             /* octets of it that are not sent: Return-Path */
	struct str sender;         /* of the envelope */
	struct retry_key key;      /* not set: it is not known again */
	uint64_t until_ms;         /* for all runs (clock_ms()) */
	const char *sid, *id;      /* for the log */
};

struct performer_mail {
	const char *const *rcpt;
	size_t n;
	struct str mark;          /* "": none, and the sender stays as it is */
	const char *notify, *ret; /* RFC 3461; NULL: not said */
};

/* The message to those.  0: the MTA has it. */
int perform_mail(const struct performer *p, const struct performer_mail *m,
		 struct err *e) MUST_USE;

/* Whether the outcome has redirects, and then all of them: 0, or the first failure for now, or
 * else the first.  One that fails does not keep the others; what was accepted is remembered. */
bool perform_has_redirects(const struct filter_outcome *o);
int perform_redirects(const struct performer *p, const struct account *a,
		      const struct filter_outcome *o, struct err *e) MUST_USE;

/* Whether an earlier attempt of this message was settled for the account, by perform_rest(),
 * although its maildrop does not show it. */
bool perform_was_settled(const struct performer *p, const struct account *a);

/* The rest, once what becomes of the message is settled: vacation, notify, what is to be
 * remembered.  What fails is logged, and is no reason to refuse a message. */
void perform_rest(const struct performer *p, const struct account *a,
		  const struct filter_outcome *o);

#endif
