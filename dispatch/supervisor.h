/* SPDX-License-Identifier: ISC */
/*
 * supervisor - which processes should run now, with no I/O in it
 *
 *                recovered             stop, or an end before READY
 *   RECOVERING ------------> RUNNING -------------------------------> STOPPING -> OVER
 *        |                      ^ |                                      ^
 *        |                      +-+ reload, crash and restart            |
 *        +--------------------- stop, or recovery cannot run ------------+
 *
 * Tell it what happened, do what supervisor_next() wishes until it wishes to
 * wait.  Because it never forks, signals or asks for the time, the same object
 * serves popstored and its unit test.
 *
 * A start is all or nothing: a worker that ends before the first time all were
 * ready ends everything, with its exit status.  Afterwards what ends is started
 * again, after a growing pause.  A reload starts a new generation; the workers
 * of the old one serve until all the new ones of their service are ready, and then
 * their last sessions (SIGHUP, lib/server.h).  A service that binds its own socket
 * has to end first (SIGTERM).
 *
 * Owns:   the list of workers.
 * Limits: a worker that does not become ready in READY_MS is killed, and so is
 *         one that does not end in KILL_MS; last sessions have DRAIN_MS.
 * Tests:  t/unit/dispatch/supervisor.c
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "dispatch/service.h"

#include "lib/str.h"

#include <sys/types.h>

enum {
	SUPERVISOR_TOLD_MAX = 96,
	SUPERVISOR_READY_MS = 60000,
	SUPERVISOR_DRAIN_MS = 600000,
	SUPERVISOR_KILL_MS = 25000, /* SERVER_GRACE_MS and some */
};

struct supervisor;

struct supervisor *supervisor_new(void);
void supervisor_free(struct supervisor **s);

/* ---- what happened ------------------------------------------------------------- */

/* The configuration asks for so many processes of each service: at the start, and
 * at each reload. */
void supervisor_configure(struct supervisor *s, const unsigned workers[SERVICE_COUNT]);
void supervisor_stop(struct supervisor *s);
/* Process `pid` sent READY=1.  False when it is none of ours, or is again. */
bool supervisor_ready(struct supervisor *s, pid_t pid);

/* Process `pid` says something about itself; after it was ready, and spoke with strangers,
 * its word counts for nothing. */
void supervisor_told(struct supervisor *s, pid_t pid, struct str status);

struct supervisor_end {
	const char *name;    /* service or job; NULL: no child of ours */
	bool expected;       /* it was told to end and did, or is a job that is done */
	bool fatal;          /* the start failed because of it: all will end */
	bool restarts;       /* it will be started again ... */
	uint32_t restart_ms; /* ... after this pause */
};

/* Process `pid` ended; `status` is waitpid(2)'s. */
struct supervisor_end supervisor_ended(struct supervisor *s, pid_t pid, int status,
				       uint64_t now_ms);

/* ---- for people ---------------------------------------------------------------- */

struct supervisor_worker {
	const char *service, *state; /* static */
	pid_t pid;                   /* 0: none now */
	uint64_t since_ms;           /* when it was started last */
	unsigned restarts;           /* after it had ended by itself */
	const char *told;            /* what it said of itself; "" for nothing */
};

/* "starting", "running" or "stopping" */
const char *supervisor_state(const struct supervisor *s);
/* The i'th; false when there are not so many. */
bool supervisor_worker(const struct supervisor *s, size_t i,
		       struct supervisor_worker *out);

/* ---- what to do ---------------------------------------------------------------- */

enum supervisor_wish {
	WISH_WAIT,   /* for an event, or until at_ms (0: only for an event) */
	WISH_START,  /* service's program; then supervisor_started() */
	WISH_RUN,    /* `popstore VERB [OPTION]` of a job; then supervisor_started() */
	WISH_SIGNAL, /* signal to pid */
	WISH_READY,  /* all services of this configuration are ready: tell the world */
	WISH_EXIT,   /* nothing runs any more; end with status */
};

struct supervisor_want {
	enum supervisor_wish wish;
	const struct service *service;
	const char *verb, *option; /* option: or NULL */
	uint64_t at_ms;
	pid_t pid;
	int signal, status;
};

struct supervisor_want supervisor_next(struct supervisor *s, uint64_t now_ms);
/* Answers WISH_START and WISH_RUN: it runs, or (pid < 0) could not be started, which
 * is as if it had ended with `status`. */
struct supervisor_end supervisor_started(struct supervisor *s, pid_t pid, int status,
					 uint64_t now_ms);

#endif
