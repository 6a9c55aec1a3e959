/* SPDX-License-Identifier: ISC */
#include "front/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct relay {
	struct conn *conn;
	int pair;
	bool client_says, session_says; /* its direction is open */
	bool full;                      /* the session reads nothing more now */
};

struct relay *relay_new(struct conn *c, int owned_pair)
{
	struct relay *r = xalloc(sizeof *r);

	*r = (struct relay){
		.conn = c, .pair = owned_pair, .client_says = true, .session_says = true};
	return r;
}

void relay_free(struct relay **r)
{
	if (*r != NULL)
		close((*r)->pair);
	xfree(r);
}

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

/* hear_client - once; true when there may be more of it, and room for it */
static bool hear_client(struct relay *r)
{
	struct err ignored;
	struct str in;

	r->full = false;
	if (conn_input_now(r->conn, &in, &ignored) < 0)
		client_is_silent(r);
	else if (in.n > 0)
		push(r, in);
	return r->client_says && !r->full && in.n > 0;
}

/* ---- from the session to the client ---------------------------------------------- */

/* pass_on - one piece; false when nothing more is there now */
static bool pass_on(struct relay *r, char *piece, struct err *end)
{
	ssize_t n = recv(r->pair, piece, RELAY_PIECE, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		r->session_says = false;
		return false;
	}
	conn_busy(r->conn, true); /* there is a session, which ends by itself */
	if (conn_write(r->conn, (struct str){piece, (size_t)n}, false, end) < 0) {
		r->session_says = r->client_says = false;
		return false;
	}
	return true;
}

static void hear_session(struct relay *r, struct err *end)
{
	char *piece = malloc(RELAY_PIECE); /* lint: ok, xalloc() would touch all of it */

	must(piece != NULL);
	while (pass_on(r, piece, end))
		;
	free(piece);
}

/* ---- both ------------------------------------------------------------------------- */

bool relay_step(struct relay *r, struct err *end)
{
	bool more;

	conn_forgive(r->conn);
	do {
		hear_session(r, end);
		more = r->session_says && r->client_says && hear_client(r);
	} while (more);
	return r->session_says;
}

int relay_pair(const struct relay *r, bool *room_too)
{
	*room_too = r->full;
	return r->pair;
}
