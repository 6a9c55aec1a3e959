/* SPDX-License-Identifier: ISC */
/*
 * service - what popstored can run: a row for each program
 *
 * A service is configured when one of its sections has an address to listen on.
 * A new service is a new row; nothing else in dispatch/ knows names.
 *
 * Tests: t/unit/dispatch/service.c
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "lib/settings.h"

enum { SERVICE_SECTIONS = 2, SERVICE_COUNT = 4 };

/* The order of the end: first nothing new comes from the MTAs, then the readers
 * are sent home. */
enum service_stage { STAGE_MTA, STAGE_READERS, STAGE_COUNT };

struct service {
	const char *name;    /* in the log */
	const char *program; /* beside popstored */
	/* Sections with addresses, and where in struct settings they stand. */
	struct {
		const char *name;
		size_t listen;
	} section[SERVICE_SECTIONS];
	size_t workers; /* where the number of processes stands; 0: always one */
	enum service_stage stage;
	bool binds_itself; /* cannot be handed a socket, so cannot overlap itself */
	bool recover_after_crash; /* may leave work for `popstore recover` */
};

extern const struct service services[SERVICE_COUNT];

/* How many processes to run; 0 where it is not configured. */
unsigned service_workers(const struct service *s, const struct settings *set);
/* Addresses of section i; none beyond the last section. */
const struct conf_list *service_listen(const struct service *s, size_t i,
				       const struct settings *set);

#endif
