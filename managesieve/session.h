/* SPDX-License-Identifier: ISC */
/*
 * session - the part of a connection after login: managesieve.h with a socket and a store
 *
 * A script is compiled before it is put, as for delivery, and its errors are the answer.  The
 * account is looked up for each command: it may be deleted, or another process may have
 * changed which script is active.
 *
 * After UNAUTHENTICATE the connection goes back to a login process (front/front.h).
 *
 * Logs:  one line a session, and one for each thing that an operator must mend.
 * Tests: t/box/test_managesieve.py
 */
#ifndef MANAGESIEVE_SESSION_H
#define MANAGESIEVE_SESSION_H

#include "front/handover.h"
#include "lib/conn.h"

struct store;
struct session;

/* As in struct roles. */
struct session *sieve_session_begin(struct store *store, struct conn *c,
				    const struct handover *h, int back);
bool sieve_session_step(struct session *s);
void sieve_session_end(struct session **s);

#endif
