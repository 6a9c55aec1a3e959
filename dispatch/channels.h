/* SPDX-License-Identifier: ISC */
/*
 * channels - how the services hand connections to each other (lib/handoff.h)
 *
 * popstored makes each pair once and holds both ends as long as it lives: over crashes
 * and reloads a channel stays the same, and what was given waits for the next taker.  The
 * services that the table names inherit their ends, as "session.give", "session.take".
 * So it is with the key of what authd says to the session processes by way of the login
 * processes (lib/ticket.h), which goes past these, as "ticket".
 *
 * Owns:  the descriptors.  channels_close() closes them, and answers whom nobody has taken: the
 *        service that would have done so was just being started again.
 * Tests: t/unit/dispatch/channels.c, t/box/test_dispatch.py
 */
#ifndef CHANNELS_H
#define CHANNELS_H

#include "dispatch/sockets.h"

struct channels {
	struct listening give[CHANNEL_COUNT], take[CHANNEL_COUNT];
	struct listening ticket;
};

int channels_open(struct channels *c, struct err *e);
void channels_close(struct channels *c);
/* For a stop: of those who give connections to sessions and those who take them, nobody can
 * say who will end first.  What was given and not taken by then is answered (lib/server.h), at
 * the latest by channels_close(). */
void channels_stop(const struct channels *c);

enum { CHANNEL_ENDS = 2 * CHANNEL_COUNT + 1 }; /* of one service, at most */

/* What this service holds of them; returns how many. */
size_t channels_of(const struct channels *c, const struct service *service,
		   const struct listening *out[CHANNEL_ENDS]);

#endif
