/* SPDX-License-Identifier: ISC */
/*
 * sockets - what popstored listens on, in its children's place
 *
 * They stay open over crashes and reloads, so that no connection attempt is refused
 * while a worker is being replaced.  Sections that systemd handed sockets for
 * (LISTEN_FDNAMES) use those, and their addresses in the configuration are not
 * looked at.
 *
 * Owns:   the descriptors.  sockets_fini() closes them.
 * Limits: SOCKETS_MAX in all, SOCKETS_OF_SERVICE for one service.
 * Tests:  t/unit/dispatch/sockets.c, t/box/test_dispatch.py
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "dispatch/service.h"

enum { SOCKETS_MAX = 128, SOCKETS_OF_SERVICE = 64 };

struct listening {
	const char *section; /* of the table of services */
	char *address;       /* NULL: systemd's */
	int fd;
};

struct sockets {
	struct listening v[SOCKETS_MAX];
	size_t n;
};

/* Takes what systemd handed down.  Once, before anything else. */
void sockets_init(struct sockets *s);
void sockets_fini(struct sockets *s);

/* Binds what `set` names and is not bound, and closes what it does not name any
 * more; when an address cannot be bound everything stays as it was. */
int sockets_configure(struct sockets *s, const struct settings *set, struct err *e);

/* The service's sockets; returns how many. */
size_t sockets_of(const struct sockets *s, const struct service *service,
		  const struct listening *out[SOCKETS_OF_SERVICE]);

#endif
