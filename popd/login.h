/* SPDX-License-Identifier: ISC */
/*
 * login - POP3's AUTHORIZATION state (RFC 1939 s4, 2595, 5034), with no I/O in it
 *
 *              USER           PASS, APOP, AUTH       login_accepted()
 *   GREETED ----------> NAMED ----------------> CHECKING -----------> PASSED
 *    | | ^                |                      |  ^  |
 *    | | +----------------|------ refused -------+  |  | login_challenge()
 *    | |                  |        | three times    |  v
 *    | +--- QUIT, bad input ---> CLOSED          EXCHANGE
 *    +--- STLS --> SECURING --- login_tls_begun() --> GREETED
 *    +--- XCLIENT --> NAMING_PEER --- login_peer_known() --> GREETED
 *
 * Feed it bytes, write out what login_output() holds, and do what login_want()
 * asks.  It needs nothing from the store, nor from authd: who passes is handed over to
 * pop3.h, which says the +OK (or [IN-USE]) to PASS, and what was read but not consumed
 * goes along.  The hand-over crosses a process.
 *
 * A login that fails says the same for every reason.  What was said before TLS is
 * forgotten with it, the number of tries excepted; the greeting's challenge, too, for it
 * came in clear.  Who begins in another protocol (HTTP, SMTP, SSH, TLS) is talked to no
 * more: what is sent back could be taken for an answer.
 *
 * Owns:   its line, its output, name, password and SASL response; these are wiped as
 *         soon as the answer is known.
 * Limits: those of dialogue.h, LOGIN_TRIES_MAX passwords a connection, and
 *         LOGIN_RESPONSE_MAX octets of base64 in a response (RFC 5034 s4); LOGIN_XCLIENT_MAX of
 *         an XCLIENT, as in Dovecot, whose proxies pass fields of their own on.
 * Tests:  t/unit/popd/login.c  t/fuzz/pop3_login.c  t/box/test_pop3.py
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "front/core.h"
#include "popd/capa.h"

enum { LOGIN_TRIES_MAX = 3, LOGIN_RESPONSE_MAX = 12288, LOGIN_XCLIENT_MAX = 1024 };

struct login;

/* The greeting is in the output.  `hostname` is used here only; `challenge`, "<x@y>", is
 * part of the greeting where the capabilities have APOP; capa's mechanisms are borrowed. */
struct login *login_new(struct str hostname, struct str challenge,
			const struct capa *capa);
void login_free(struct login **l);

enum login_want login_want(const struct login *l);
/* Takes in at most one command; returns how many octets it used. */
size_t login_feed(struct login *l, struct str in);
struct str login_output(const struct login *l); /* borrowed: until the next call */
void login_written(struct login *l);

/* ---- who is it? ------------------------------------------------------------------ */

struct login_question
login_question(const struct login *l); /* borrowed: until answered */

/* `last_word` is said yet, and answered, before AUTHORIZATION is over; mostly empty. */
void login_accepted(struct login *l, struct str last_word);
void login_challenge(struct login *l, struct str octets); /* SASL only */
void login_refused(struct login *l);
void login_expired(struct login *l);
void login_try_again(struct login *l);

/* An exchange of SASL is not over: when it is false after a question of SASL was
 * answered by a challenge, the client has broken it off. */
bool login_exchanging(const struct login *l);

/* ---- what changes under way ------------------------------------------------------- */

void login_tls_begun(struct login *l, const struct capa *capa);

/* The arguments of XCLIENT, not looked at; borrowed until the answer. */
struct str login_peer(const struct login *l);
void login_peer_known(struct login *l, bool understood, const struct capa *capa);

#endif
