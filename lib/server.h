/* SPDX-License-Identifier: ISC */
/*
 * server - what every service program has in common: sockets, threads, signals
 *
 * A service takes its listening sockets from its parent (the LISTEN_FDS
 * protocol of sd_listen_fds(3), which systemd and popstored both speak; sockets
 * are told apart by LISTEN_FDNAMES) or binds them itself, accepts, has its
 * threads serve (lib/crew.h), says READY=1 to NOTIFY_SOCKET, and stops on SIGTERM or
 * SIGINT: no new connections, idle ones end, running commands finish.  SIGHUP says
 * that another process takes over: no connections but those that wait to be taken
 * already, and the end when the last session has ended by itself.
 *
 * A service may also be given its connections by another process, which then says in a
 * note what it knows of them (lib/handoff.h); they are counted and served as any other.
 *
 * Addresses as in the configuration: "127.0.0.1:24", "[::1]:110", "*:110" (all of
 * IPv6 and IPv4, as "[::]:110" is) or an absolute path for a Unix socket (mode
 * 0666: the directory protects it; a stale socket file is replaced, anything else
 * at that path is refused).  No host names: which address one means can change.
 *
 * Limits:  max_connections for the process; one more is answered with `busy`
 *          and closed.  Thread stacks are 128 KB.
 * Logs:    server.busy and server.accept.failed, at most a line a second each: it
 *          is the one that answers there (an exception to lib/log.h's rule).
 * Signals: SIGTERM, SIGINT and SIGHUP are blocked in every thread and SIGPIPE is
 *          ignored; a program started from a session must get them back
 *          (POSIX_SPAWN_SETSIGMASK, POSIX_SPAWN_SETSIGDEF).
 * Tests:   t/unit/lib/server.c, t/unit/lib/server_socket.c, t/box/test_dispatch.py
 */
#ifndef SERVER_H
#define SERVER_H

#include "lib/conn.h"
#include "lib/err.h"

struct server_listen {
	const char *name; /* a section of the configuration: "lmtp", "pop3" */
	char *const *addresses;
	size_t n;
	int protocol; /* handed to `session` unchanged */
	bool mute;    /* one connection too many is told nothing: it begins with TLS */
	/* It is no listening socket but the taking end of a channel (lib/handoff.h),
	 * "session.take": conn.note is what came along with a connection. */
	bool handoff;
	bool introduced; /* the note says who is there, see conn_open_unnamed() */
};

struct server {
	const char *program;
	const struct server_listen *listen;
	size_t n_listen;
	uint32_t max_connections;
	uint32_t idle_ms; /* for conn_open() */
	struct str busy;  /* what one connection too many is told */
	/* What one is told that another process handed over, if we stop before it is taken, and
	 * the channel is closed (handoff_close()).  While it is not, somebody else may take it. */
	struct str late;
	/* Runs one connection from greeting to end; closes nothing. */
	void (*session)(struct conn *c, int protocol, void *ctx);
	/* Or, where connections are many and mostly idle: does what can be done without
	 * waiting for the peer, and returns true to be called again when there are octets
	 * or the time is up; conn_input_now() has either.  c->session is its own, NULL in
	 * the beginning; what is there has to be freed before it returns false. */
	bool (*step)(struct conn *c, int protocol, void *ctx);
	/* Called once, when all sockets are bound, and before the first thread and the
	 * first connection: what can be given up then is.  -1 ends it all; may be NULL. */
	int (*enter)(void *ctx, struct err *e);
	/* Called about every `tick_ms` while the server runs, from a thread of its
	 * own; may be NULL. */
	void (*tick)(void *ctx);
	uint32_t tick_ms;
	/* When told to stop: how long busy sessions (conn_busy()) may go on before
	 * they are cut; 0 = SERVER_GRACE_MS. */
	uint32_t grace_ms;
	void *ctx;
};

enum { SERVER_GRACE_MS = 20000 };

/* Listens, serves until told to stop, and returns 0 when no session runs any
 * more; -1 when it could not start. */
int server_run(const struct server *s, struct err *e);

/* True once the process was told to stop: a session that is between two
 * commands should say goodbye. */
bool server_stopping(void);

/* For step(): octets on `fd`, too, are a reason to call it, and with `room_too` that it can
 * be written to; until it is closed, or this is called anew. */
void server_watch(struct conn *c, int fd, bool room_too);
/* What follows may take long: another thread looks after the other connections.  Any thread;
 * it costs two wake-ups, so what takes a millisecond at most is not worth it. */
void server_pass_on(void);
/* For step(), before the connection's own descriptor goes to another process: what comes
 * there is nothing to this one any more. */
void server_forget(struct conn *c);

/* ---- pieces that programs with a loop of their own use --------------------- */

/* A bound, listening, close-on-exec socket for `address`, or -1. */
int server_bind(const char *address, struct err *e);
/* Where this socket is bound, as server_bind() takes it; "" where that cannot be told. */
enum { SERVER_ADDRESS = 112 };
void server_address(int fd, char out[SERVER_ADDRESS]);
/* Removes the Unix socket that a dead server left at `path`; -1 when there is
 * anything else, a living server's socket too. */
int server_make_room(const char *path, struct err *e);

/* Sockets handed down by the parent, close-on-exec.  Returns how many have this
 * name (at most max are told) and fills fds.  Ends of channels are found so, too. */
size_t server_inherited(const char *name, int *fds, size_t max);

/* Blocks these signals, for this thread and those it starts, and ignores SIGPIPE.
 * Returns a signalfd(2) that does not wait, or -1. */
int server_signals(const int *signals, size_t n, struct err *e);

/* The giving end of the channel `name`: that which popstored made ("auth" is handed down
 * as "auth.give").  -1 when there is none: nobody runs who could take anything. */
int server_channel(const char *name, struct err *e);

/* One datagram to NOTIFY_SOCKET, as sd_notify(3); no-op without the variable. */
void server_notify(const char *state);
/* Opens the socket for all further calls: a process that gives up sockets says READY=1
 * all the same. */
void server_notify_hold(void);

#endif
