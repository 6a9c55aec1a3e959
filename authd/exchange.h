/* SPDX-License-Identifier: ISC */
/*
 * exchange - one SASL exchange (RFC 4422), by Cyrus SASL
 *
 * PLAIN and LOGIN end in attempt_password(), as USER and PASS do.  SCRAM is checked by the
 * verifiers of the secret; an unknown user gets verifiers that no password fits, so that he
 * looks like a known one until the proof.  CRAM-MD5 and DIGEST-MD5 need the password itself,
 * of an account in a domain that keeps it.  EXTERNAL is who the certificate says
 * (auth.certificate_name), GSSAPI who the principal is: of the default realm the name alone,
 * which gets auth.default_domain.  After each the account is asked whether it may come in.
 *
 * SCRAM-...-PLUS takes tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929); the client
 * chooses.  Cyrus SASL knows one binding of a connection, so that the choice is read from
 * the client's first words, and a connection of the library begins with them.
 *
 * A mechanism that Cyrus SASL does not have would be a row of a table in exchange.c.
 *
 * Owns:    a connection of the library.
 * Threads: one.
 * Tests:   t/unit/authd/exchange.c  t/box/test_authd.py
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "authd/judge.h"
#include "authd/plugin.h"

struct exchange;

/* `q` is borrowed until the end, but its data.  *x is NULL where the answer is not
 * AUTH_CHALLENGE. */
void exchange_begin(struct judge *j, const struct question *q, struct exchange **x,
		    struct auth_answer *out);
/* Frees it unless the answer is AUTH_CHALLENGE. */
void exchange_step(struct exchange **x, struct str data, struct auth_answer *out);
/* Counts as a try that failed. */
void exchange_abort(struct exchange **x, struct auth_answer *out);

/* For plugin_begin(). */
plugin_lookup_fn exchange_look_up;

#endif
