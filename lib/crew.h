/* SPDX-License-Identifier: ISC */
/*
 * crew - the threads of a service, and the connections they take turns at
 *
 *                                   session(), or step() says no more
 *   crew_take() ------> RUNNING ----------------------------------------> gone
 *                        |   ^
 *  step() wants to wait  |   |  octets have come, or time is up
 *                        v   |
 *                       WAITING
 *
 * A connection holds a thread only while there is something to do for it, so ten thousand
 * idle ones cost what they have in memory, and no stack.
 *
 * One thread leads: it waits for events, does what each asks for, and waits again.  Under
 * load the next event is at hand, and nobody has to be woken for it.  Before it does what
 * may take long it says so (crew_pass_on()), and another leads.  In case that it does not
 * know (a page that has to come from the disk) a second thread watches: who has been at one
 * thing for CREW_PATIENCE_MS leads no more.  So nobody holds up others for longer than twice
 * that, and a server without work sleeps.
 *
 * Events name a connection by its place in a table and by how often that was used, so what
 * is left of a connection that is gone, or has a thread already, harms nobody.
 *
 * Owns:    the connections from crew_take() to their end.
 * Limits:  server.max_connections connections, two threads more; CREW_IDLE threads stay
 *          when there is nothing to do.
 * Threads: arrive() is called by the one that leads, crew_watch() and crew_forget() by the
 *          one that runs the connection.  The rest is for the thread that made the crew.
 * Tests:   t/unit/lib/server.c
 */
#ifndef CREW_H
#define CREW_H

#include "lib/server.h"

enum { CREW_IDLE = 16, CREW_PATIENCE_MS = 10 };

struct crew;

/* Both are borrowed.  arrive() is told that `door` can be read (crew_open_door()). */
int crew_new(const struct server *s, void (*arrive)(size_t door, void *ctx), void *ctx,
	     struct crew **out, struct err *e) MUST_USE;
/* When no connection is left; waits for the threads. */
void crew_free(struct crew **k);
/* From here on there is somebody who leads; -1 when there is no thread to be had. */
int crew_begin(struct crew *k, struct err *e) MUST_USE;

/* Any thread.  Where several processes have a door, one of them is told. */
void crew_open_door(struct crew *k, int fd, size_t door);
void crew_close_door(struct crew *k, int fd);

/* A connection to serve.  `server` is borrowed until its end. */
struct crew_guest {
	int fd, protocol;
	struct str note;    /* of who handed it over */
	const char *server; /* see struct conn */
	const struct sockaddr_storage
		*from; /* as accept(2) told; NULL: it has to be asked */
	bool unnamed;  /* conn_open_unnamed() */
};

/* Within arrive().  Takes fd over; false when there are too many, or there is no thread to
 * be had, and the descriptor stays the caller's. */
bool crew_take(struct crew *k, const struct crew_guest *g) MUST_USE;

/* Any thread, also one that is of no crew: see server_pass_on(). */
void crew_pass_on(void);
/* See server_watch() and server_forget(). */
void crew_watch(struct conn *c, int fd, bool room_too);
void crew_forget(struct conn *c);

size_t crew_count(struct crew *k); /* connections that are not gone */
/* Becomes readable when the last connection has gone, from the first call on; read it as an
 * eventfd(2). */
int crew_empty_fd(struct crew *k);
void crew_each(struct crew *k, void (*what)(struct conn *c));

#endif
