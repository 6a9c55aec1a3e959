/* SPDX-License-Identifier: ISC */
/*
 * conversation - what is said with authd with authd, from its first question to its end
 *
 * Limits: CONVERSATION_IDLE_MS between two questions, CONVERSATION_MESSAGE_MS for a whole
 *         one, CONVERSATION_STEP_MS for the next step of an exchange.
 * Tests:  t/unit/authd/conversation.c
 */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "authd/judge.h"
#include "lib/conn.h"

enum {
	CONVERSATION_IDLE_MS = 15 * 60 * 1000,
	CONVERSATION_MESSAGE_MS = 30 * 1000,
	CONVERSATION_STEP_MS = 5 * 60 * 1000,
};

/* `foreign`: from a socket of auth.listen, not from a service of our own. */
void conversation_run(struct judge *j, struct conn *c, bool foreign);

#endif
