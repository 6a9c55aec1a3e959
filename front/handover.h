/* SPDX-License-Identifier: ISC */
/*
 * handover - what a login process tells a session process of a connection
 *
 *   popstore-handover 1             lines "key value", an empty line, and then the
 *   account alice@example.org       octets that were read and not consumed
 *   uid 17
 *   ...
 *
 * It goes along with the descriptor (lib/handoff.h).  That the account's owner is there, the
 * session process believes because of the ticket, which authd has signed; it looks
 * whether the profile is the one that authd has read, or else reads it and compares the
 * incarnation.
 *
 * A connection that a session gives back has such a note, too, without a ticket; the account
 * is that of the one who was there, and counts for nothing.
 *
 * Limits: HANDOVER_UNREAD octets: a login process reads no more at a time.
 * Tests:  t/unit/front/handover.c
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/server.h"
#include "lib/ticket.h"

enum {
	HANDOVER_UNREAD = 4096,
	HANDOVER_ACCOUNT = 320,
	HANDOVER_MECHANISMS = 512,
	HANDOVER_LAST_WORD = 1024
};

struct handover {
	char account[HANDOVER_ACCOUNT]; /* canonical */
	uint64_t uid;
	char peer[64], sid[16];
	bool loopback, tls, plaintext;
	char ticket[TICKET_TEXT_MAX];
	char mechanisms[HANDOVER_MECHANISMS];
	char server[SERVER_ADDRESS];        /* where the client came in */
	char last_word[HANDOVER_LAST_WORD]; /* of SASL, in base64; "" = none */
	struct str unread;                  /* borrowed */
	/* Not of the note, but of the ticket: see there. */
	uint64_t profile;
};

/* Octets; what is too long makes handover_write() refuse. */
void handover_last_word(struct handover *h, struct str octets);
/* False when something does not fit, or is no text. */
bool handover_write(const struct handover *h, struct buf *out) MUST_USE;
/* ERR_TEMP where it is not what handover_write() makes. */
int handover_read(struct str note, struct handover *out, struct err *e) MUST_USE;

#endif
