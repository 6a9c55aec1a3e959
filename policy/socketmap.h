/* SPDX-License-Identifier: ISC */
/*
 * socketmap - table lookups by Postfix or Sendmail, with no I/O in it
 *
 * A request is a netstring "MAP KEY", the answer is a netstring (Postfix,
 * socketmap_table(5)).  Feed it bytes, ask the store for what it wants, give the
 * answer back, and write out what socketmap_output() holds.
 *
 *   map                      key      answer
 *   virtual_mailbox_maps     address  OK name, if it takes mail here
 *   relay_recipient_maps     address  the same
 *   virtual_alias_maps       address  OK target, target ... of a forwarding
 *   virtual_mailbox_domains  domain   OK domain, if the store holds it
 *   relay_domains            domain   the same
 *   any other                         PERM
 *
 * A table can only say found, not found, or later, and its text goes to the
 * MTA's log, not to the sender.  So that a recipient whom the verdict refuses is
 * never accepted for good, the first two maps answer:
 *   OK, FORWARD                    OK
 *   NO_USER, BAD_ADDRESS           NOTFOUND: the MTA says 550 5.1.1
 *   NOT_RECEIVING                  NOTFOUND: refused for good as it has to be, but the
 *                                  sender reads 5.1.1 in place of 5.2.1
 *   NOT_OURS                       NOTFOUND
 *   OVER_QUOTA, TRY_AGAIN          TEMP: the MTA says 451, also where the
 *                                  configuration has 552 for a full mailbox, because
 *                                  "no such user" would have the sender strike
 *                                  out an address that is good
 *   TOO_LARGE                      cannot happen, since a table is not told the
 *                                  size; LMTP refuses such a message
 * Where senders are rewritten (outgoing.srs_domain) the MTA would send on with the sender as it
 * is, so that it learns of no FORWARD but an SRS address's way home, and hands the others to the
 * delivery agent.
 * With the policy protocol or the milter before it, the sender reads the true code.
 * virtual_alias_maps is asked for mail in the queue too, so it says OK for a
 * FORWARD, TEMP for TRY_AGAIN, and NOTFOUND for all the rest.
 *
 * Postfix asks with the local part quoted, and if there is nothing, with the bare
 * text.  A bare text that reads as another address ("x"@d is the bare text of
 * "\"x\""@d, and reads as x@d) is not looked up.
 *
 * Owns:   the request so far and the answer.
 * Limits: SOCKETMAP_REQUEST_MAX octets, as Postfix has it; a longer one breaks
 *         the protocol and the connection is to be closed.  What is longer than
 *         SOCKETMAP_KEY_MAX is read over, never stored, and not found.
 * Tests:  t/unit/policy/socketmap.c  t/fuzz/socketmap.c  t/box/test_socketmap.py
 */
#ifndef SOCKETMAP_H
#define SOCKETMAP_H

#include "lib/buf.h"
#include "mail/address.h"
#include "store/verdict.h"

enum { SOCKETMAP_REQUEST_MAX = 100000, SOCKETMAP_KEY_MAX = 1024 };

enum socketmap_want {
	SOCKETMAP_WANT_INPUT,   /* socketmap_feed() more */
	SOCKETMAP_WANT_VERDICT, /* judge socketmap_address(), then socketmap_answer() */
	SOCKETMAP_WANT_DOMAIN,  /* find socketmap_key(), then socketmap_answer_domain() */
	SOCKETMAP_WANT_CLOSE,   /* socketmap_broken() says why */
};

struct socketmap;

/* `expands`: the MTA may send on by itself. */
struct socketmap *socketmap_new(bool expands);
void socketmap_free(struct socketmap **m);

/* Takes in at most one request; returns how many octets it used. */
size_t socketmap_feed(struct socketmap *m, struct str in);
enum socketmap_want socketmap_want(const struct socketmap *m);
struct buf *socketmap_output(struct socketmap *m); /* borrowed; the caller drains it */
bool socketmap_idle(const struct socketmap *m);    /* between two requests */
const char *socketmap_broken(const struct socketmap *m);

/* What is asked, while it is wanted; borrowed: until it is answered. */
struct str socketmap_map(const struct socketmap *m);
struct str socketmap_key(const struct socketmap *m);
const struct address *socketmap_address(const struct socketmap *m);

void socketmap_answer(struct socketmap *m, const struct verdict *v);
/* The domain's own name, or "" when it is not ours. */
void socketmap_answer_domain(struct socketmap *m, struct str name);
void socketmap_answer_later(struct socketmap *m, struct str reason);

#endif
