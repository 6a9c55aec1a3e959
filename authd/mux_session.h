/* SPDX-License-Identifier: ISC */
/*
 * mux_session - one question by saslauthd's protocol (authd/mux.h), judged as `do password` is
 *
 * The protocol says nothing of whoever wants to come in but name and password: where he
 * comes from and whether his connection has TLS is known to the asker alone, which has rules
 * of its own for that (in Postfix smtpd_tls_auth_only).  So to the settings and rules here it
 * is a connection with TLS from "unix", and the limiter sees the name only.
 *
 * Limits: MUX_WAIT_MS for the question.
 * Tests:  t/unit/authd/mux.c
 */
#ifndef MUX_SESSION_H
#define MUX_SESSION_H

#include "authd/judge.h"
#include "lib/conn.h"

enum { MUX_WAIT_MS = 30 * 1000 };

void mux_session_run(struct judge *j, struct conn *c);

#endif
