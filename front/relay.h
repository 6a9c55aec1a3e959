/* SPDX-License-Identifier: ISC */
/*
 * relay - the TLS end of a session that another process holds
 *
 *   client === TLS === login process --- pair of sockets --- session process
 *
 * What the client says goes on in clear, what the session says goes out by TLS.  Either
 * end may close its direction, and the other one learns of it when all that was said
 * before has passed.  Neither waits for the other: while the session has no time to read,
 * the client's octets stay where they are, and what the session writes passes.
 *
 * How long a client may be silent is the session's business; here is counted only how
 * long it takes to read what was said (lib/conn.h).
 *
 * Limits: a piece of RELAY_PIECE octets, which exists only while there is something to
 *         pass: an idle relay has none.
 * Tests:  t/unit/front/relay.c  t/box/test_pop3_tls.py
 */
#ifndef RELAY_H
#define RELAY_H

#include "lib/conn.h"

enum { RELAY_PIECE = 16384 };

struct relay;

struct relay *relay_new(struct conn *c, int owned_pair);
void relay_free(struct relay **r);

/* Passes on what is there; false when the session has said its last word, or the client
 * cannot be reached: then *end says why. */
bool relay_step(struct relay *r, struct err *end);
/* It goes on when this can be read, and if *room_too, when it can be written to. */
int relay_pair(const struct relay *r, bool *room_too);

#endif
