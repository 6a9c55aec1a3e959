/* SPDX-License-Identifier: ISC */
/*
 * conversation - what is said with authd, from its first question to its end
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

struct conversation;

/* `foreign`: from a socket of auth.listen, not from a service of our own.  Both arguments
 * live as long as the conversation. */
struct conversation *conversation_begin(struct judge *j, struct conn *c, bool foreign);
/* Goes on without waiting for the other end, see struct server; false when it is over. */
bool conversation_step(struct conversation *v);
void conversation_end(struct conversation **v);

#endif
