/* SPDX-License-Identifier: ISC */
/*
 * login - ManageSieve's non-authenticated state (RFC 5804 s2.1 to s2.4), with no I/O in it
 *
 *             AUTHENTICATE             sieve_login_accepted()
 *   GREETED ----------------> CHECKING ----------------------> PASSED
 *    | ^ ^                     |  ^ |
 *    | | +------ refused ------+  | | sieve_login_challenge()
 *    | |         | three times    | v
 *    | |       CLOSED          EXCHANGE
 *    | +--- sieve_login_tls_begun() --- SECURING <--- STARTTLS --- GREETED
 *    +--- LOGOUT, bad input ---> CLOSED
 *
 * It is one of front/core.h.  A login that fails says the same for every reason.  What was said
 * before TLS is forgotten with it, the number of tries excepted.  The OK to AUTHENTICATE is the
 * session's to say (managesieve.h), with what SASL says last.
 *
 * Who begins in another protocol (HTTP, SMTP, SSH, TLS) is talked to no more than it was greeted.
 *
 * Owns:   its command, its output, the SASL response; this is wiped as soon as the answer is
 *         known.
 * Limits: those of dialogue.h; SIEVE_LOGIN_TRIES_MAX tries a connection;
 *         SIEVE_LOGIN_STRING_MAX octets of a string, base64 as a rule.
 * Tests:  t/unit/managesieve/login.c  t/fuzz/managesieve.c  t/box/test_managesieve.py
 */
#ifndef MANAGESIEVE_LOGIN_H
#define MANAGESIEVE_LOGIN_H

#include "front/core.h"

enum { SIEVE_LOGIN_TRIES_MAX = 3, SIEVE_LOGIN_STRING_MAX = 12288 };

/* The capabilities are in the output; capa's mechanisms are borrowed. */
struct login *sieve_login_new(struct str hostname, struct str challenge,
			      const struct capa *capa);
/* After UNAUTHENTICATE, the OK to which is in the output. */
struct login *sieve_login_again(const struct capa *capa);
void sieve_login_free(struct login **l);

/* As in struct login_core. */
enum login_want sieve_login_want(const struct login *l);
size_t sieve_login_feed(struct login *l, struct str in);
struct str sieve_login_output(const struct login *l); /* borrowed: until the next call */
void sieve_login_written(struct login *l);
struct login_question
sieve_login_question(const struct login *l); /* borrowed: until answered */
void sieve_login_accepted(struct login *l, struct str last_word); /* which is "" */
void sieve_login_challenge(struct login *l, struct str octets);
void sieve_login_refused(struct login *l);
void sieve_login_expired(struct login *l);
void sieve_login_try_again(struct login *l);
bool sieve_login_exchanging(const struct login *l);
void sieve_login_tls_begun(struct login *l, const struct capa *capa);

#endif
