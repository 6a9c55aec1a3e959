/* SPDX-License-Identifier: ISC */
/*
 * session - one connection of somebody who changes a password: poppass.h with a socket, a
 *           clock and authd
 *
 * The passwords go to authd, which judges and stores; nothing of the store is here.  Over a
 * connection without TLS nothing is asked of a client that may not send passwords in clear
 * text there: it is told so in the greeting.
 *
 * Limits: poppassd.timeout for the whole connection, refusals' waits included; those of
 *         lib/crowd.h, but for clients on this machine: a web mail program is one for many.
 * Tests:  t/box/test_poppassd.py
 */
#ifndef SESSION_H
#define SESSION_H

#include "auth/auth.h"
#include "lib/conn.h"
#include "lib/crowd.h"
#include "lib/settings.h"
#include "lib/tls.h"

struct poppassd {
	const struct settings *set;
	struct auth *auth;
	struct tls_context *tls; /* NULL: none */
	struct crowd *crowd;
};

/* With `tls` the client begins with a handshake. */
void poppassd_session(const struct poppassd *d, struct conn *c, bool tls);

#endif
