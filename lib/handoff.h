/* SPDX-License-Identifier: ISC */
/*
 * handoff - an open socket from one process to another, with a note
 *
 * A channel is a pair of sockets (AF_UNIX, SOCK_SEQPACKET) that popstored makes and holds as
 * long as it lives: any number of processes inherit the giving end, any number the taking
 * end.  What one gives, exactly one takes; while nobody takes it waits in the kernel, so a
 * taker that is restarted loses nothing.  Who holds an end needs neither a path nor the
 * right to make a connection: it can ask for a conversation by giving one end of a
 * socketpair(2) away.
 *
 *   pop3-login --- "session" ---> pop3d     a connection whose owner is known
 *   anybody    --- "auth" ------> authd     one end of a pair: the conversation that follows
 *
 * Owns:    nothing; descriptors belong to the caller, a received one is close-on-exec.
 * Limits:  a note has at most HANDOFF_NOTE_MAX octets; a giver waits HANDOFF_WAIT_MS for
 *          room, or up to its own end.
 * Threads: any number on one end.
 * Tests:   t/unit/lib/handoff.c
 */
#ifndef HANDOFF_H
#define HANDOFF_H

#include "lib/buf.h"
#include "lib/err.h"

enum { HANDOFF_NOTE_MAX = 8192, HANDOFF_WAIT_MS = 5000 };

/* For popstored.  Both close-on-exec. */
int handoff_pair(int *give, int *take, struct err *e) MUST_USE;

/* `fd` stays open here too: the caller closes its own.  ERR_TEMP when there is no room in
 * time, which ends at `end_ms` of clock_ms() (0: as above), or nobody who could ever take
 * it. */
int handoff_give(int channel, int fd, struct str note, uint64_t end_ms,
		 struct err *e) MUST_USE;
/* Nobody gives any more by this channel, whoever holds its end: handoff_give() fails with
 * EPIPE from now on.  What was given can still be taken. */
void handoff_close(int give);
bool handoff_is_closed(int take);
/* Does not wait.  *fd is -1 when nothing is there; `note` is cleared first.  What is not one
 * descriptor and one note is closed and passed over.  EPIPE when nobody gives any more and all
 * is taken; EMFILE when this process may have no more descriptors: all wait. */
int handoff_take(int channel, int *fd, struct buf *note, struct err *e) MUST_USE;

/* For a channel that nobody will take from any more: what is left in it hears `last` and is
 * closed.  Whoever is slow to hear it is not waited for. */
void handoff_turn_away(int take, struct str last);

/* Gives one end of a new pair away, and returns the other: a stream socket with whoever
 * takes it; -1. */
int handoff_ask(int channel, struct str note, uint64_t end_ms, struct err *e) MUST_USE;

#endif
