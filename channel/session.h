/* SPDX-License-Identifier: ISC */
/*
 * session - one LMTP connection: does for the conversation (lmtp.h) what it wants
 *
 * RCPT asks the verdict and resolves forwardings (targets.h).  The message goes
 * from the connection's buffer to the store in pieces, below a Return-Path and a
 * Received field that are the same for all recipients.  At the end it is made
 * durable once, then each recipient gets its reply; only then anything is written
 * to the client, so one that hangs up after the dot undoes nothing.
 *
 * Of a forwarding, accounts here get slots, and the others are mailed the message (targets.h),
 * unless it goes round or failed DMARC (mail/onward.h).
 *
 * What does not go on counts as refused for those elsewhere: the recipient is told so where
 * nobody here has the message either.
 *
 * What a recipient with several targets is told:
 *
 *   250     every target has the message: in the store, or in the MTA's queue,
 *           durably in both cases
 *   4xx 5xx no target has it, so that trying again or telling the sender is right
 *
 * The store comes first.  When it fails as a whole, nothing is mailed.  When it
 * took the message for some targets of a forwarding only (one became full since
 * RCPT), the others are mailed the message, one sendmail(1) run, and the MTA
 * tries further.  If that fails too, the recipient gets the failure's reply
 * although some have the message: a second copy is better than none.
 *
 * Filters (filter.h) run when the message is whole and nothing is durable yet, once for each
 * account that has any.  Whom a script discards it for is told 250, and has no slot that
 * holds; whom it refuses it for is told 550 with the script's text.  What a script sends on goes
 * out (perform.h) before anything is durable, so that one who does not keep it can still be put
 * off; answers go out when all is settled, and not for what comes again.  An account that got the
 * message in an earlier attempt, or for which it was settled then (perform.h), is not filtered
 * again.
 *
 * Who the client is may be told by a proxy (lib/proxy.h): by a header before the greeting,
 * or by XCLIENT, for which the client's own network has to be allowed.
 *
 * Logs:  lmtp.message, lmtp.message.refused, lmtp.recipient.refused,
 *        lmtp.recipient.failed, lmtp.store.failed, lmtp.session,
 *        lmtp.filter.failed, lmtp.filter.held, lmtp.recipient.discarded,
 *        lmtp.recipient.filed, lmtp.recipient.held, lmtp.recipient.retried.
 * Tests: t/box/test_lmtp.py t/box/test_lmtp_forward.py t/box/test_tls.py
 *        t/box/test_proxy.py t/box/test_filter.py t/box/test_outgoing.py
 */
#ifndef SESSION_H
#define SESSION_H

struct conn;
struct filters;
struct store;
struct tls_context;

/* From the greeting to the end; closes nothing.  `submit` is the channel to
 * popstore-submitd (mail/outgoing.h).  Without `tls`, STARTTLS is unknown. */
void channel_session(struct store *s, struct filters *filters, int submit,
		     struct tls_context *tls, struct conn *c);

#endif
