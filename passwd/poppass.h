/* SPDX-License-Identifier: ISC */
/*
 * poppass - the protocol by which a user changes a password, with no I/O in it
 *
 *             USER         PASS           poppass_proved()          NEWPASS
 *   GREETED ------> NAMED -----> CHECKING ----------------> PROVED --------> CHANGING
 *      ^                            |                          ^               |   |
 *      +-------- poppass_refused() -+                          +-- rejected ---+   |
 *                                                                                  |
 *   CLOSED <--- QUIT, bad input, three failures ---- CHANGED <-- poppass_changed() +
 *
 * There is no RFC.  Steve Dorner of Eudora described it in a few lines (early 1990s), which
 * John Norstad's poppassd carried along: replies as FTP has them, three digits and a text,
 * and this conversation:
 *
 *   S: 200 hello              C: user NAME
 *   S: 300 password please    C: pass OLD
 *   S: 200 right              C: newpass NEW
 *   S: 200 changed            C: quit
 *   S: 200 bye
 *
 * Servers have answered USER with 200 ever since (Norstad's, Debian's poppassd), and there
 * are clients that take 200 for yes, 500 and its text for no, and everything else for a
 * server that is broken (poppass-cgi).  So here 200 and 500 is all that is said, also for
 * what will pass.  Lines end in CRLF or in LF: there are clients of both kinds, and nothing
 * but commands ever follows.
 *
 * Feed it bytes, write out what poppass_output() holds, and do what poppass_want() asks.
 * What comes out of turn is 500.  A wrong name and a wrong password are one answer.
 *
 * Owns:   its line, its output, name and both passwords; each is wiped as soon as it is of no
 *         more use.
 * Limits: POPPASS_LINE_MAX octets a line, POPPASS_BAD_MAX bad commands and
 *         POPPASS_FAILURES_MAX failures (wrong passwords, new ones that were rejected, trouble)
 *         a connection.
 * Tests:  t/unit/passwd/poppass.c  t/fuzz/poppassd.c  t/box/test_poppassd.py
 */
#ifndef POPPASS_H
#define POPPASS_H

#include "lib/buf.h"

enum { POPPASS_LINE_MAX = 512, POPPASS_BAD_MAX = 10, POPPASS_FAILURES_MAX = 3 };

enum poppass_want {
	POPPASS_WANT_INPUT,  /* poppass_feed() more bytes */
	POPPASS_WANT_CHECK,  /* check name and password, then one of three answers */
	POPPASS_WANT_CHANGE, /* change it, then one of four answers */
	POPPASS_WANT_CLOSE,  /* write the output and close */
};

struct poppass;

/* The greeting is in the output.  `hostname` is used here only. */
struct poppass *poppass_new(struct str hostname);
void poppass_free(struct poppass **p);

enum poppass_want poppass_want(const struct poppass *p);
/* Takes in at most one command; returns how many octets it used. */
size_t poppass_feed(struct poppass *p, struct str in);
/* The caller writes it whenever there is something in it, and clears it. */
struct buf *poppass_output(struct poppass *p);

/* All borrowed: until the answer. */
struct str poppass_user(const struct poppass *p);
struct str poppass_old(const struct poppass *p);
struct str poppass_new_password(const struct poppass *p);

/* ---- answers ---------------------------------------------------------------------- */

void poppass_proved(struct poppass *p);
void poppass_changed(struct poppass *p);
/* The new password is no good; `why` is said, without what is no printable ASCII. */
void poppass_rejected(struct poppass *p, struct str why);
/* To both: wrong, or not wrong but nobody can tell now. */
void poppass_refused(struct poppass *p);
void poppass_try_again(struct poppass *p);

#endif
