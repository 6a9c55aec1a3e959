/* SPDX-License-Identifier: ISC */
/*
 * session - the part of a connection after login: pop3.h with a socket and a store
 *
 * Holds the maildrop's lease from the +OK to PASS to just before the reply to
 * QUIT, so that a client may come back as soon as it has read that.  Messages are
 * opened one at a time, checked against their checksum (P5), and sent from the
 * page cache.  RFC 1939 s3: a session that times out ends without a word.
 *
 * Logs:  one line a session, and one for each thing that an operator must mend.
 * Tests: t/unit/popd/session.c  t/box/test_pop3.py
 */
#ifndef SESSION_H
#define SESSION_H

#include "lib/conn.h"
#include "front/handover.h"

struct store;
struct session;

/* `c` is what a login process handed over, and lives as long as the session; `h` is what was
 * said of it. */
struct session *session_begin(struct store *store, struct conn *c,
			      const struct handover *h);
/* Goes on without waiting for the client, see struct server; false when it is over. */
bool session_step(struct session *s);
/* Writes the log's line. */
void session_end(struct session **s);

#endif
