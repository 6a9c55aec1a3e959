/* SPDX-License-Identifier: ISC */
/*
 * roles - a program whose clients log in: the two roles that it has
 *
 * With --login it talks to clients that have not logged in (front.h), and goes on as the
 * TLS end of those that have; without, it serves those that have (handover.h), and believes
 * of what a login process says what authd has signed.
 *
 * Tests: t/box/test_login.py  t/box/test_ticket.py  t/box/test_managesieve.py
 */
#ifndef ROLES_H
#define ROLES_H

#include "front/front.h"
#include "front/handover.h"
#include "store/role.h"

struct store;
struct session; /* the protocol's own */

/* The service's settings; lists are borrowed. */
struct roles_settings {
	const struct conf_list *listen, *tls_listen; /* tls_listen may be NULL */
	uint64_t workers, max_connections;
	struct crowd_limits crowd;
	uint64_t idle_timeout_s;
	struct front_limits front;
};

struct roles {
	const char *program;
	const struct login_core *core;
	enum role_id login, session;
	/* Names of sockets: see struct server_listen.  tls_door may be NULL. */
	const char *door, *tls_door;
	/* Channels: "session" to the sessions, and that by which they give connections back, or
	 * NULL. */
	const char *sessions, *back;
	struct roles_settings (*settings)(const struct settings *set);

	/* `back`: the giving end of that channel, or -1.  NULL is no answer. */
	struct session *(*begin)(struct store *store, struct conn *c,
				 const struct handover *h, int back);
	/* See struct server's step(). */
	bool (*step)(struct session *s);
	void (*end)(struct session **s);

	void (*log_doubt)(const struct err *why);
	void (*log_start)(const struct err *why);
};

/* The program's main(). */
int roles_main(const struct roles *r, int argc, char **argv);

#endif
