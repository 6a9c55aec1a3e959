/* SPDX-License-Identifier: ISC */
/*
 * front - the login part of a connection: login.h with a socket and a clock
 *
 * Runs from the greeting to the moment when it is known who is there.  It asks
 * auth.h and never the store, so it can become a process of its own: what passes
 * to the session part then is struct handover, the descriptor, and the octets
 * that were read and not consumed.  Inside one process the last two travel in the
 * struct conn.
 *
 * Limits: pop3.login_timeout_s from the greeting to the last octet of PASS.
 * Tests:  t/box/test_pop3.py
 */
#ifndef FRONT_H
#define FRONT_H

#include "auth/auth.h"
#include "lib/conn.h"
#include "popd/capa.h"

struct handover {
	struct account account;
	struct capa capa;
};

/* False when the connection is over: all is said and logged. */
bool front_run(const struct settings *set, struct auth *auth, struct conn *c,
	       struct handover *out);

#endif
