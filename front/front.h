/* SPDX-License-Identifier: ISC */
/*
 * front - a connection before login, in the login process: core.h with a socket,
 * TLS and authd
 *
 * Runs from the greeting to the moment when it is known who is there, and hands the
 * connection over to a session process (front/handover.h).  In clear text that is the
 * client's socket itself, and the login process is done with it.  Under TLS it is one end
 * of a pair, and the login process goes on as the relay (front/relay.h).
 *
 * A session can give a connection back, when its user logs out and the connection stays: the
 * next one to log in there is judged as if it were new.  Bindings of its TLS, and certificates
 * of the client, are not known any more then, so that nothing that needs them is offered.
 *
 * It has no store, and no secrets but what passes by.
 *
 * Limits: login_timeout_s from the first octet to the hand-over; those of
 *         lib/crowd.h; what it reads at a time is HANDOVER_UNREAD octets.
 * Tests:  t/box/test_pop3.py  t/box/test_pop3_tls.py  t/box/test_login.py
 */
#ifndef FRONT_H
#define FRONT_H

#include "auth/auth.h"
#include "front/core.h"
#include "lib/conn.h"
#include "lib/settings.h"
#include "lib/tls.h"
#include "lib/crowd.h"

/* Of the service's settings; lists are borrowed. */
struct front_limits {
	const struct conf_list *proxy_networks;
	const struct conf_list *xclient_networks; /* NULL: there are none */
	uint64_t login_timeout_s, login_delay_s;
	bool count_loopback;
};

/* What all connections of the process share. */
struct front {
	const struct settings *set;
	const struct login_core *core;
	struct front_limits limits;
	struct auth *auth;
	struct tls_context *tls; /* NULL: there is none */
	struct crowd *crowd;
	int sessions; /* the giving end of the channel to them */
};

enum front_door {
	FRONT_CLEAR,  /* greeted in clear text */
	FRONT_TLS,    /* the client begins with TLS */
	FRONT_RETURN, /* given back by a session */
};

/* See struct server's step(). */
bool front_step(const struct front *f, struct conn *c, enum front_door door);

#endif
