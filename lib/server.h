/* SPDX-License-Identifier: ISC */
/*
 * server - what every service program has in common: sockets, threads, signals
 *
 * A service takes its listening sockets from its parent (the LISTEN_FDS
 * protocol of sd_listen_fds(3), which systemd and popstored both speak; sockets
 * are told apart by LISTEN_FDNAMES) or binds them itself, accepts, runs one
 * thread a connection, says READY=1 to NOTIFY_SOCKET, and stops on SIGTERM or
 * SIGINT: no new connections, idle ones end, running commands finish.
 *
 * Addresses as in the configuration: "127.0.0.1:24", "[::]:110", "*:110" or an
 * absolute path for a Unix socket (mode 0666: the directory protects it;
 * a stale socket file is replaced, anything else at that path is refused).
 *
 * Limits: max_connections for the process; one more is answered with `busy`
 *         and closed.  Thread stacks are STACK_OCTETS.
 * Tests:  t/unit/lib/server.c, t/box/test_dispatch.py
 */
#ifndef SERVER_H
#define SERVER_H

#include "lib/conn.h"
#include "lib/err.h"

struct server_listen {
	const char *name;          /* a section of the configuration: "lmtp", "pop3" */
	char *const *addresses;
	size_t n;
	int protocol;              /* handed to `session` unchanged */
};

struct server {
	const char *program;
	const struct server_listen *listen;
	size_t n_listen;
	uint32_t max_connections;
	uint32_t idle_ms;          /* for conn_open() */
	struct str busy;           /* what one connection too many is told */
	/* Runs one connection from greeting to end; closes nothing. */
	void (*session)(struct conn *c, int protocol, void *ctx);
	/* Called about every `tick_ms` while the server runs; may be NULL. */
	void (*tick)(void *ctx);
	uint32_t tick_ms;
	void *ctx;
};

/* Listens, serves until told to stop, waits for the sessions (at most `grace`
 * seconds of them), and returns 0; -1 when it could not start. */
int server_run(const struct server *s, struct err *e);

/* True once the process was told to stop: a session that is between two
 * commands should say goodbye. */
bool server_stopping(void);

/* ---- pieces that programs with a loop of their own use --------------------- */

/* A bound, listening, close-on-exec socket for `address`, or -1. */
int server_bind(const char *address, struct err *e);

/* Sockets handed down by the parent.  Returns how many have this name and
 * fills fds (at most max). */
size_t server_inherited(const char *name, int *fds, size_t max);

/* One datagram to NOTIFY_SOCKET, as sd_notify(3); no-op without the variable. */
void server_notify(const char *state);

#endif
