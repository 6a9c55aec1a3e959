/* SPDX-License-Identifier: ISC */
/*
 * conn - one accepted connection: blocking I/O with deadlines
 *
 * A session thread owns a conn and reads and writes it in straight lines.
 * Two clocks bound every wait: `idle` is the longest silence of the peer (it is
 * set on the socket once, so that no poll() is needed before each read), and a
 * deadline bounds a whole command or a whole message, so that a peer that drips
 * bytes gains nothing.  Protocol cores never see a conn.
 *
 * conn_start_tls() turns a connection into one over TLS (lib/tls.h): every function
 * means the same from then on.
 *
 * Owns:    the descriptor, its input buffer and its TLS; conn_close() ends them.
 * Limits:  input is read in pieces of CONN_INPUT octets.  A deadline nearer than
 *          the idle time is kept to within an eighth of what was left.  A write
 *          may take the idle time plus a second per CONN_RATE_MIN octets, and a TLS
 *          handshake CONN_HANDSHAKE_MS.
 * Signals: SIGPIPE must be ignored (server_run() does it): sendfile(2) and OpenSSL
 *          have no MSG_NOSIGNAL.
 * Threads: one owner.  conn_interrupt() and conn_cut() alone may be called from
 *          another thread, as long as the owner does not close meanwhile.
 * Tests:   t/unit/lib/conn.c  t/unit/lib/tls.c
 */
#ifndef CONN_H
#define CONN_H

#include "lib/err.h"
#include "lib/str.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { CONN_INPUT = 16384, CONN_RATE_MIN = 128, CONN_HANDSHAKE_MS = 30000 };

struct sockaddr_storage;
struct tls;
struct tls_context;

enum { CONN_PEER = 64 };

struct conn {
	int fd;
	bool loopback; /* peer is a Unix socket, 127.0.0.0/8 or ::1, over no wire */
	/* "192.0.2.7:1234", "[2001:db8::1]:1234" or "unix:1000" (uid) */
	char peer[CONN_PEER];
	char sid[16]; /* session id for the log, unique in this process's life */
	/* What another process handed over with it; borrowed, for the first step only. */
	struct str note;
	const char *server;   /* the address that it came in by, as bound; "" = unknown */
	uint64_t deadline_ms; /* monotonic; 0 = none */
	void *session;        /* of server.step() */
	uint64_t wake_ms; /* when step() is called at the latest; monotonic, 0 = never */
	bool is_unix;     /* a Unix socket */

	/* private: */
	size_t piece; /* octets read at a time */
	char *in;     /* there while there is input */
	size_t in_at, in_n;
	struct tls *tls;        /* NULL in clear text */
	uint32_t idle_ms;       /* as wished */
	uint32_t wait_ms;       /* SO_RCVTIMEO now; 0 = not set */
	bool bounded;           /* SO_SNDTIMEO is set */
	uint64_t rest_until_ms; /* the end of the peer's silence; 0 = it was just heard */
	bool announced;         /* whatever comes is, see conn_wake() */
	bool dry;               /* nothing was left when it was read */
	atomic_bool busy, interrupted;
};

/* Takes over `owned_fd`.  idle_ms bounds every single wait for the peer. */
void conn_open(struct conn *c, int owned_fd, uint32_t idle_ms);
/* The same where accept(2) has told who is there. */
void conn_open_from(struct conn *c, int owned_fd, uint32_t idle_ms,
		    const struct sockaddr_storage *from);
/* The same for one that is introduced before anything is said of it. */
void conn_open_unnamed(struct conn *c, int owned_fd, uint32_t idle_ms);
/* Reads `octets` at a time, where little input is expected and many wait: it is what the
 * input buffer then has.  Before anything is read. */
void conn_read_little(struct conn *c, size_t octets);
/* Who is there, and by which session id the log knows them, where that is not the other
 * end of this socket but what a proxy or another process says.  Empty: as it is. */
void conn_introduce(struct conn *c, struct str peer, struct str sid, bool loopback);
/* The peer without its port: "192.0.2.7", "2001:db8::1", "unix". */
void conn_address(const struct conn *c, char out[CONN_PEER]);
void conn_close(struct conn *c);

/* The whole next command or message must be here in `ms`; 0 lifts the bound. */
void conn_deadline(struct conn *c, uint32_t ms);

/*
 * conn_input - what has arrived and is not consumed yet
 *
 * Waits for more only when nothing is left.  *in is borrowed until the next
 * conn_input().  Returns 0 with at least one octet, or -1: ERR_PEER and text
 * "connection closed", "timeout" or the system's reason (e->sys == ETIMEDOUT
 * tells a time-out from a hang-up, for a farewell line).
 */
int conn_input(struct conn *c, struct str *in, struct err *e) MUST_USE;
/* The same without waiting: *in is empty when nothing is here yet, or no whole record of
 * TLS.  For who has waited by poll(2), or is called again by a server.  It does wait where
 * TLS has to write first. */
int conn_input_now(struct conn *c, struct str *in, struct err *e) MUST_USE;
void conn_consume(struct conn *c, size_t n);
/* The same for octets that may hold a password: wipes them. */
void conn_consume_secret(struct conn *c, size_t n);
/* What another process has read of this connection: it comes before all that arrives.
 * Only as long as nothing was read here; at most CONN_INPUT octets. */
void conn_unread(struct conn *c, struct str octets);
/*
 * conn_peek - like conn_input(), of a connection where nothing was read yet; but the octets
 * stay with the kernel, for whoever else reads there (TLS).  conn_skip() takes the first `n`
 * of them away.
 */
int conn_peek(struct conn *c, struct str *in, struct err *e) MUST_USE;
int conn_skip(struct conn *c, size_t n, struct err *e) MUST_USE;
bool conn_has_input(const struct conn *c); /* without waiting or asking the kernel */

/* All of it or -1 (ERR_PEER).  `more` tells the kernel that something follows
 * at once, so that the pieces share segments (MSG_MORE). */
int conn_write(struct conn *c, struct str out, bool more, struct err *e) MUST_USE;
/* `n` octets of file `fd` from `offset`, by sendfile(2) where the engine can. A
 * file that is shorter than promised is ERR_TEMP, and the peer has to be cut. */
int conn_sendfile(struct conn *c, int fd, off_t offset, uint64_t n,
		  struct err *e) MUST_USE;

/*
 * conn_start_tls - the server's side of a handshake; once in a connection
 *
 * What was read and not consumed is dropped: it came in clear text, from whoever (P10).
 * The answer that lets the client begin has to be written before.  Returns -1 (ERR_PEER)
 * when it fails; then nothing more can be said to this peer, not even goodbye.
 */
int conn_start_tls(struct conn *c, struct tls_context *ctx, struct err *e) MUST_USE;
/* The same without waiting, for step(): the beginning, and then as much as can be done, until
 * *done. */
int conn_begin_tls(struct conn *c, struct tls_context *ctx, struct err *e) MUST_USE;
int conn_shake_hands(struct conn *c, bool *done, struct err *e) MUST_USE;
/* Borrowed, for lib/tls.h; NULL in clear text. */
struct tls *conn_tls(const struct conn *c);
/* For who waits for c->fd and for something else at a time (a relay): octets are here,
 * read or still within TLS, that poll(2) on c->fd knows nothing of.  conn_input_now() has
 * them, or finds that they are less than a record. */
bool conn_tls_pending(const struct conn *c);

/* Another client than the socket's (lib/proxy.h has who may say so); IPv4 is mapped. */
struct sockaddr_in6;
void conn_set_peer(struct conn *c, const struct sockaddr_in6 *told);

/* For step(): how long the peer has been silent does not matter. */
void conn_forgive(struct conn *c);

/* The owner is in the middle of what should be finished before a stop, such as
 * a message after DATA. */
void conn_busy(struct conn *c, bool busy);

/* Lets `ms` pass before the peer is answered; nothing that it does shortens that, for then it
 * would be worth doing, but conn_interrupt() does.  -1 (ERR_PEER) at the deadline: there is no
 * answer. */
int conn_hold(const struct conn *c, uint32_t ms, struct err *e) MUST_USE;
/* For step(): whether it has to be so still, up to the moment `end_ms` or the deadline. */
bool conn_is_held(const struct conn *c, uint64_t end_ms);
int conn_check_deadline(const struct conn *c,
			struct err *e) MUST_USE; /* -1: it is past */

/* From any thread, for shutting down: the pending read and later ones report the
 * end of input ("interrupted"); while the owner is busy, only those after it. */
void conn_interrupt(struct conn *c);
/* From any thread, when patience is over: reads and writes fail from now on. */
void conn_cut(struct conn *c);

uint64_t clock_ms(void);      /* monotonic milliseconds */
uint64_t clock_unix_ms(void); /* wall clock, milliseconds since 1970 */

#endif
