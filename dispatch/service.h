/* SPDX-License-Identifier: ISC */
/*
 * service - what popstored can run: a row for each program
 *
 * A service is configured when one of its sections has an address to listen on, or when
 * it takes from a channel that a configured service gives to (dispatch/channels.h).
 * A new service is a new row; nothing else in dispatch/ knows names.
 *
 * Tests: t/unit/dispatch/service.c
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "lib/settings.h"

enum { SERVICE_SECTIONS = 2, SERVICE_COUNT = 10 };

/* The order of the end: first nothing new comes from the MTAs, then the readers
 * are sent home, and then nobody asks any more.  Within a stage it is the order of the
 * table: a login process may hold the TLS of a session, so that they end together. */
enum service_stage { STAGE_MTA, STAGE_READERS, STAGE_ASKED, STAGE_COUNT };

enum channel {
	CHANNEL_SESSION,
	CHANNEL_AUTH,
	CHANNEL_SUBMIT,
	CHANNEL_SIEVE,
	CHANNEL_SIEVE_BACK, /* to whom the connections came from: nobody runs for its sake */
	CHANNEL_COUNT
};

struct service {
	const char *name;    /* in the log */
	const char *program; /* beside popstored */
	const char *option;  /* after -c FILE; or NULL */
	/* Sections with addresses, and where in struct settings they stand. */
	struct {
		const char *name;
		size_t listen;
	} section[SERVICE_SECTIONS];
	size_t workers;        /* where the number of processes stands; 0: always one */
	unsigned gives, takes; /* channels, a bit each */
	bool signs;            /* has the key of tickets (lib/ticket.h) */
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
