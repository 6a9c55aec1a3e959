/* SPDX-License-Identifier: ISC */
#include "popd/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

struct relay {
	struct conn *conn;
	int pair;
	bool client_says, session_says; /* its direction is open */
	bool full;                      /* the session reads nothing more now */
	struct err *end;
};

/* ---- from the client to the session ---------------------------------------------- */

static void client_is_silent(struct relay *r)
{
	r->client_says = false;
	r->full = false;
	shutdown(r->pair, SHUT_WR);
}

/* push - what was read, as far as the session takes it now */
static void push(struct relay *r, struct str in)
{
	ssize_t n = send(r->pair, in.p, in.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	r->full = n < 0 && errno == EAGAIN;
	if (n >= 0) {
		conn_consume_secret(r->conn, (size_t)n);
	} else if (errno != EAGAIN && errno != EINTR) {
		client_is_silent(r); /* the session is gone; what it said may be left */
	}
}

static void hear_client(struct relay *r)
{
	struct str in;

	if (conn_input_now(r->conn, &in, r->end) < 0)
		client_is_silent(r);
	else if (in.n > 0)
		push(r, in);
}

/* ---- from the session to the client ---------------------------------------------- */

/* pass_on - one piece; false when nothing more is there now */
static bool pass_on(struct relay *r, char *piece)
{
	ssize_t n = recv(r->pair, piece, RELAY_PIECE, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		r->session_says = false;
		return false;
	}
	conn_busy(r->conn, true); /* there is a session, which ends by itself */
	if (conn_write(r->conn, (struct str){piece, (size_t)n}, false, r->end) < 0) {
		r->session_says = r->client_says = false;
		return false;
	}
	return n == RELAY_PIECE;
}

static void hear_session(struct relay *r)
{
	char *piece = malloc(RELAY_PIECE); /* lint: ok, xalloc() would touch all of it */

	must(piece != NULL);
	while (pass_on(r, piece))
		;
	free(piece);
}

/* ---- both ------------------------------------------------------------------------- */

/* turn - waits until one of them has something, and does it */
static void turn(struct relay *r)
{
	bool at_hand = r->client_says && !r->full && conn_tls_pending(r->conn);
	struct pollfd p[] = {
		{.fd = r->client_says && !conn_has_input(r->conn) ? r->conn->fd : -1,
		 .events = POLLIN},
		{.fd = r->pair, .events = (short)(POLLIN | (r->full ? POLLOUT : 0))},
	};

	if (poll(p, countof(p), at_hand ? 0 : -1) < 0) {
		must(errno == EINTR);
		return;
	}
	if (p[1].revents & (POLLIN | POLLHUP | POLLERR))
		hear_session(r);
	if (p[1].revents & POLLOUT)
		r->full = false;
	if (r->client_says && !r->full &&
	    (at_hand || p[0].revents || p[1].revents & POLLOUT))
		hear_client(r);
}

void relay_run(struct conn *c, int pair, struct err *end)
{
	struct relay r = {.conn = c,
			  .pair = pair,
			  .client_says = true,
			  .session_says = true,
			  .end = end};

	while (r.session_says)
		turn(&r);
}
