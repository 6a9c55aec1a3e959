/* SPDX-License-Identifier: ISC */
#include "lib/conn_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/server.h"
#include "lib/tls_int.h"

/*
 * A record comes in several reads, and a read of the socket does not end where one of ours
 * does.  So the socket does not block here, as it does in clear text with a time-out set in
 * the kernel: every wait is a poll(2), and the clocks are asked before each.
 */

enum { RECORD = 16384 }; /* RFC 8446 s5.1 */

static int break_off(struct conn *c, struct err *e)
{
	c->tls->broken = true;
	return conn_timed_out(e);
}

/* wait_for - until the socket can do it; -1 when `ms` were not enough */
static int wait_for(struct conn *c, enum tls_io what, uint32_t ms, struct err *e)
{
	struct pollfd p = {
		.fd = c->fd,
		.events = what == TLS_IO_WANT_WRITE ? POLLOUT : POLLIN,
	};
	int n;

	server_pass_on();
	n = ms > 0 ? poll(&p, 1, (int)ms) : 0;

	if (n == 0)
		return conn_timed_out(e);
	if (n < 0 && errno != EINTR)
		return conn_peer_failed(e, "wait");
	return 0;
}

/* ---- reading ------------------------------------------------------------------------ */

int conn_tls_fill(struct conn *c, bool wait, struct err *e)
{
	enum tls_io io;
	size_t n = 0;

	if (conn_tls_write(c, STR(""), false, e) < 0)
		return -1;
	conn_need_input(c);
	while (!conn_is_late(c)) {
		if (conn_must_end(c))
			return err_set(e, ERR_PEER, "4.3.2", "interrupted");
		io = tls_read(c->tls, c->in, c->piece, &n);
		if (io == TLS_IO_DONE)
			break;
		if (io == TLS_IO_END)
			return conn_ended(c, e);
		if (io == TLS_IO_BROKEN)
			return tls_why(c->tls, "TLS read", e);
		/* What has to be written first, the socket's input says nothing of. */
		if (!wait && io == TLS_IO_WANT_READ)
			return conn_is_overdue(c) ? conn_timed_out(e) : 0;
		if (wait_for(c, io, conn_patience(c), e) < 0)
			return -1;
	}
	if (conn_is_late(c))
		return conn_timed_out(e);
	c->rest_until_ms = 0;
	c->in_at = 0;
	c->in_n = n;
	return 0;
}

bool conn_tls_pending(const struct conn *c)
{
	return conn_has_input(c) || (c->tls != NULL && tls_pending(c->tls));
}

/* ---- writing ------------------------------------------------------------------------- */

/* after - a write that sent `n` octets; 0 to go on */
static int after(struct conn *c, enum tls_io io, struct conn_progress *p, size_t n,
		 struct err *e)
{
	switch (io) {
	case TLS_IO_DONE:
		break;
	case TLS_IO_WANT_READ:
	case TLS_IO_WANT_WRITE:
		if (wait_for(c, io, c->idle_ms, e) < 0)
			return break_off(c, e);
		n = 0;
		break;
	case TLS_IO_END:
		return conn_ended(c, e);
	case TLS_IO_BROKEN:
		return tls_why(c->tls, "TLS write", e);
	}
	/* A piece of a record is lost to who would write another now. */
	return conn_advance(c, p, n) ? 0 : break_off(c, e);
}

static int push(struct conn *c, struct str out, struct err *e)
{
	struct conn_progress p = {.left = out.n};

	while (p.left > 0) {
		struct str rest = {out.p + (out.n - p.left), (size_t)p.left};
		size_t n = 0;
		enum tls_io io = tls_write(c->tls, rest, &n);

		if (after(c, io, &p, n, e) < 0)
			return -1;
	}
	return 0;
}

/* push_held - what was held back, in a record of its own */
static int push_held(struct conn *c, struct err *e)
{
	struct buf *held = &c->tls->held;
	int rc = push(c, buf_str(held), e);

	buf_fini(held);
	return rc;
}

/* hold - what there is room for in one record; returns how much */
static size_t hold(struct buf *held, struct str out)
{
	size_t room;

	if (held->max == 0)
		buf_init(held, RECORD);
	room = held->max - held->n;
	if (out.n > room)
		out.n = room;
	buf_put(held, out);
	return out.n;
}

/* A record and a segment for each piece would be a waste, and the kernel cannot put records
 * together as it does with MSG_MORE. */
int conn_tls_write(struct conn *c, struct str out, bool more, struct err *e)
{
	struct buf *held = &c->tls->held;

	if (c->tls->broken)
		return err_set(e, ERR_PEER, "4.4.2", "TLS is broken off");
	while (out.n > 0 && (more || held->n > 0)) {
		size_t n = hold(held, out);

		out.p += n;
		out.n -= n;
		if (held->n == RECORD && push_held(c, e) < 0)
			return -1;
	}
	if (more)
		return 0;
	if (held->n > 0)
		return push_held(c, e);
	return push(c, out, e);
}

/* ---- files --------------------------------------------------------------------------- */

static int copy_file(struct conn *c, int fd, off_t offset, uint64_t n, struct err *e)
{
	char *piece = xalloc(RECORD);
	int rc = 0;

	while (rc == 0 && n > 0) {
		ssize_t got = pread(fd, piece, n < RECORD ? (size_t)n : RECORD, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			rc = err_sys(e, "read file");
		else if (got == 0)
			rc = conn_file_short(n, e);
		else
			rc = conn_tls_write(c, (struct str){piece, (size_t)got}, false,
					    e);
		offset += got;
		n -= (uint64_t)(got > 0 ? got : 0);
	}
	xfree(&piece);
	return rc;
}

static int send_file(struct conn *c, int fd, off_t offset, uint64_t n, struct err *e)
{
	enum { PIECE = 1 << 30 };
	struct conn_progress p = {.left = n};

	if (conn_tls_write(c, STR(""), false, e) < 0)
		return -1;
	while (p.left > 0) {
		size_t sent = 0;
		enum tls_io io =
			tls_sendfile(c->tls, fd, offset + (off_t)(n - p.left),
				     p.left < PIECE ? (size_t)p.left : PIECE, &sent);

		if (io == TLS_IO_DONE && sent == 0)
			return conn_file_short(p.left, e);
		if (after(c, io, &p, sent, e) < 0)
			return -1;
	}
	return 0;
}

/* The kernel can send a file only where it does the TLS. */
int conn_tls_sendfile(struct conn *c, int fd, off_t offset, uint64_t n, struct err *e)
{
	if (tls_has_sendfile(c->tls))
		return send_file(c, fd, offset, n, e);
	return copy_file(c, fd, offset, n, e);
}

/* ---- life ---------------------------------------------------------------------------- */

static void drop_input(struct conn *c)
{
	if (c->in_n > 0)
		explicit_bzero(c->in + c->in_at, c->in_n);
	c->in_n = 0;
}

/* shake - what can be done of it now: *io says what it waits for, if not TLS_IO_DONE */
static int shake(struct conn *c, enum tls_io *io, struct err *e)
{
	*io = tls_handshake(c->tls);
	if (*io == TLS_IO_DONE) {
		c->deadline_ms = c->tls->deadline_ms;
		return 0;
	}
	if (*io == TLS_IO_END)
		return conn_ended(c, e);
	if (*io == TLS_IO_BROKEN)
		return tls_why(c->tls, "TLS handshake", e);
	return conn_is_late(c) ? conn_timed_out(e) : 0;
}

static int break_handshake(struct conn *c)
{
	c->deadline_ms = c->tls->deadline_ms;
	c->tls->broken = true;
	return -1;
}

int conn_begin_tls(struct conn *c, struct tls_context *ctx, struct err *e)
{
	uint64_t latest_ms = clock_ms() + CONN_HANDSHAKE_MS;

	must(c->tls == NULL);
	drop_input(c);
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "socket");
	c->tls = tls_new(ctx, c->fd);
	c->tls->deadline_ms = c->deadline_ms;
	if (c->deadline_ms == 0 || latest_ms < c->deadline_ms)
		c->deadline_ms = latest_ms;
	return 0;
}

int conn_shake_hands(struct conn *c, bool *done, struct err *e)
{
	enum tls_io io;

	if (shake(c, &io, e) < 0)
		return break_handshake(c);
	*done = io == TLS_IO_DONE;
	return 0;
}

int conn_start_tls(struct conn *c, struct tls_context *ctx, struct err *e)
{
	enum tls_io io;

	if (conn_begin_tls(c, ctx, e) < 0)
		return -1;
	for (;;) {
		if (shake(c, &io, e) < 0)
			return break_handshake(c);
		if (io == TLS_IO_DONE)
			return 0;
		if (wait_for(c, io, conn_patience(c), e) < 0)
			return break_handshake(c);
	}
}

struct tls *conn_tls(const struct conn *c)
{
	return c->tls;
}

void conn_tls_close(struct conn *c)
{
	tls_free(&c->tls);
}
