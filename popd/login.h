/* SPDX-License-Identifier: ISC */
/*
 * login - POP3's AUTHORIZATION state (RFC 1939 s4), with no I/O in it
 *
 *              USER           PASS              login_accepted()
 *   GREETED ----------> NAMED -----> CHECKING -------------------> PASSED
 *      |  ^               |            |   |
 *      |  +---------------|------------+   |
 *      |                  |  refused       | three times
 *      +--- QUIT, bad input --> CLOSED <---+
 *
 * Feed it bytes, write out what login_output() holds, and do what login_want()
 * asks.  It needs nothing from the store: who passes is handed over to pop3.h,
 * which says the +OK (or [IN-USE]) to PASS, and what was read but not consumed
 * goes along.  The hand-over may cross a process.
 *
 * A login that fails says the same for every reason.
 *
 * Owns:   its line, its output, name and password; the password is wiped as
 *         soon as the answer is known.
 * Limits: those of dialogue.h, and LOGIN_TRIES_MAX passwords a connection.
 * Tests:  t/unit/popd/login.c  t/fuzz/pop3_login.c  t/box/test_pop3.py
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "popd/capa.h"

enum { LOGIN_TRIES_MAX = 3 };

enum login_want {
	LOGIN_WANT_INPUT,     /* login_feed() more bytes */
	LOGIN_WANT_WRITE,     /* write the output before anything else: login_written() */
	LOGIN_WANT_CHECK,     /* check name and password, then one of the three answers */
	LOGIN_WANT_HAND_OVER, /* AUTHORIZATION is over: write the output, go on */
	LOGIN_WANT_CLOSE,     /* write the output and close */
};

struct login;

/* The greeting is in the output.  `hostname` is used here only. */
struct login *login_new(struct str hostname, const struct capa *capa);
void login_free(struct login **l);

enum login_want login_want(const struct login *l);
/* Takes in at most one command; returns how many octets it used. */
size_t login_feed(struct login *l, struct str in);
struct str login_output(const struct login *l); /* borrowed: until the next call */
void login_written(struct login *l);

struct str login_user(const struct login *l); /* both borrowed: until the answer */
struct str login_password(const struct login *l);
void login_accepted(struct login *l);
void login_refused(struct login *l);
void login_try_again(struct login *l);

#endif
