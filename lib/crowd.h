/* SPDX-License-Identifier: ISC */
/*
 * crowd - how many clients are there that are not known yet: in all, of an address, of a
 * network
 *
 * A network is the first 24 bits of an IPv4 address and the first 64 of an IPv6 address:
 * what one customer gets.  Only those are counted who are there, so that nothing has to
 * be remembered or forgotten, and nobody can fill the memory.
 *
 * Limits:  as given at the start.
 * Threads: any number.
 * Tests:   t/unit/lib/crowd.c
 */
#ifndef CROWD_H
#define CROWD_H

#include "lib/str.h"

struct crowd;

struct crowd_limits {
	size_t all, address, network;
};

struct crowd *crowd_new(const struct crowd_limits *limits);
void crowd_free(struct crowd **c);

enum crowd_verdict { CROWD_IN, CROWD_FULL, CROWD_ADDRESS, CROWD_NETWORK };

/* `address` is numeric, "192.0.2.7" or "2001:db8::1".  What is no address, or empty for
 * who is trusted, counts as one of all only.  With CROWD_IN, *place is for crowd_leave(). */
enum crowd_verdict crowd_enter(struct crowd *c, struct str address, size_t *place);
void crowd_leave(struct crowd *c, size_t place);
/* For the log, of who is not let in. */
const char *crowd_why(enum crowd_verdict v);

#endif
