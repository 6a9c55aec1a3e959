/* SPDX-License-Identifier: ISC */
/*
 * ticket - authd's word that an account's owner is there, carried by somebody else
 *
 * The login process is the one that parses what strangers send.  Were its word enough, who
 * takes it over could open every maildrop.  So authd signs what it has found out, and the
 * session process believes nothing else: HMAC-SHA-256 over account, incarnation, session id,
 * the time after which it is void, and by what stamp authd knows the profile that it has read:
 * while the profile has that stamp, nobody else need read it.  Who has taken the login process over can use the
 * tickets of those who log in meanwhile, and no others.
 *
 * The key is made by popstored for as long as it lives, and goes to authd and to the session
 * processes as an inherited descriptor ("ticket"), never through a file or the network.
 *
 * Limits:  a ticket is good for TICKET_LIFE_MS.
 * Threads: any.
 * Tests:   t/unit/lib/ticket.c  t/box/test_ticket.py
 */
#ifndef TICKET_H
#define TICKET_H

#include "lib/err.h"
#include "lib/str.h"

#include <stdint.h>

enum {
	TICKET_KEY_OCTETS = 32,
	TICKET_LIFE_MS = 60000,
	TICKET_TEXT_MAX = 16 + 1 + 16 + 1 + 64 + 1
};

struct ticket_key {
	unsigned char octets[TICKET_KEY_OCTETS];
};

/* What a ticket speaks of. */
struct ticket {
	struct str account, sid;
	uint64_t uid;
	uint64_t profile; /* account_stamp(); 0: it has none */
};

/* For popstored: a new key in memory that cannot be written to; close-on-exec. */
int ticket_key_make(int *fd, struct err *e) MUST_USE;
/* For the others: from the descriptor that was inherited, which stays open. */
int ticket_key_read(int fd, struct ticket_key *out, struct err *e) MUST_USE;

/* `now_ms` is Unix time.  The text has no octet that would need encoding. */
void ticket_sign(const struct ticket_key *key, const struct ticket *t, uint64_t now_ms,
		 char text[TICKET_TEXT_MAX]);
/* Fills t->profile; the rest is what it has to speak of.  False: forged, void, or of another key, as after popstored was started again. */
bool ticket_is_good(const struct ticket_key *key, struct ticket *t, struct str text,
		    uint64_t now_ms) MUST_USE;

#endif
