/* SPDX-License-Identifier: ISC */
/*
 * crowd - how many clients are there that are not known yet: in all, of an address, of a
 * network
 *
 * A network is the first 24 bits of an IPv4 address and the first 64 of an IPv6 address:
 * what one customer gets.  Only those are counted who are there, so that nothing has to
 * be remembered or forgotten, and nobody can fill the memory.
 *
 * When all places are taken, the one who came first has to give way: a login takes a moment,
 * and who only sits there is most likely one of many who do.  Were newcomers turned away
 * instead, whoever has enough networks could keep all others out without sending an octet.
 *
 * Limits:  as given at the start.
 * Threads: any number.
 * Tests:   t/unit/lib/crowd.c  t/box/test_crowd.py
 */
#ifndef CROWD_H
#define CROWD_H

#include "lib/conn.h"
#include "lib/str.h"

struct crowd;

struct crowd_limits {
	size_t all, address, network;
};

struct crowd *crowd_new(const struct crowd_limits *limits);
void crowd_free(struct crowd **c);

enum crowd_verdict { CROWD_IN, CROWD_ADDRESS, CROWD_NETWORK };

/* A place, for crowd_leave(). */
struct crowd_place {
	size_t at;
	uint64_t turn;
};

/* `address` is numeric, "192.0.2.7" or "2001:db8::1".  What is no address, or empty for
 * who is trusted, counts as one of all only.  With CROWD_IN, `conn` is borrowed until
 * crowd_leave(): it is cut when it has to give way. */
enum crowd_verdict crowd_enter(struct crowd *c, struct str address, struct conn *conn,
			       struct crowd_place *place);
/* -1: it had to give way, and the connection is cut. */
int crowd_leave(struct crowd *c, const struct crowd_place *place, struct err *e) MUST_USE;
/* For the log, of who is not let in. */
const char *crowd_why(enum crowd_verdict v);

#endif
