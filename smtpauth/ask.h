/* SPDX-License-Identifier: ISC */
/*
 * ask - one question to authd on a socket of auth.listen (doc/AUTH.md)
 *
 * For the plug-in (smtpauth/plugin.c), which lives in a process of somebody else, often for
 * one login only: a connection for each question, no thread, no signal, no state.
 *
 * Limits: ASK_WAIT_MS for all of it.
 * Tests:  t/unit/smtpauth/ask.c
 */
#ifndef ASK_H
#define ASK_H

#include "auth/wire.h"
#include "lib/err.h"

enum { ASK_WAIT_MS = 30000 };

/* `question` has been finished; `answer` is a whole message then.  -1, ERR_TEMP: authd is not
 * there, silent, or says what is no message. */
int ask(const char *path, const struct wire *question, struct wire *answer,
	struct err *e) MUST_USE;

#endif
