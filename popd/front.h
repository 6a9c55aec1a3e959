/* SPDX-License-Identifier: ISC */
/*
 * front - a connection before login, in the login process: login.h with a socket,
 * TLS and authd
 *
 * Runs from the greeting to the moment when it is known who is there, and hands the
 * connection over to a session process (popd/handover.h).  In clear text that is the
 * client's socket itself, and the login process is done with it.  Under TLS it is one end
 * of a pair, and the login process goes on as the relay (popd/relay.h).
 *
 * It has no store, and no secrets but what passes by.
 *
 * Limits: pop3.login_timeout_s from the first octet to the hand-over; those of
 *         lib/crowd.h; what it reads at a time is HANDOVER_UNREAD octets.
 * Tests:  t/box/test_pop3.py  t/box/test_pop3_tls.py  t/box/test_login.py
 */
#ifndef FRONT_H
#define FRONT_H

#include "auth/auth.h"
#include "lib/conn.h"
#include "lib/settings.h"
#include "lib/tls.h"
#include "lib/crowd.h"

/* What all connections of the process share. */
struct front {
	const struct settings *set;
	struct auth *auth;
	struct tls_context *tls; /* NULL: there is none */
	struct crowd *crowd;
	int sessions; /* the giving end of "session" */
};

/* See struct server's step().  `tls_first`: the client begins with TLS and not with a
 * greeting in clear. */
bool front_step(const struct front *f, struct conn *c, bool tls_first);

#endif
