/* SPDX-License-Identifier: ISC */
/*
 * message - what is filtered: its header at once, its parts when somebody asks
 *
 * Owns:  the arena, which holds what was made of the octets.
 * Tests: t/unit/sieve/message.c
 */
#ifndef MESSAGE_INT_H
#define MESSAGE_INT_H

#include "mail/header.h"
#include "mail/mime.h"
#include "sieve/sieve.h"

struct sieve_message {
	struct arena arena;
	struct str octets;
	bool stored;
	uint64_t size;
	struct header header;
	size_t header_octets; /* without the empty line behind it */
	struct str rest;      /* behind the header, as stored */
	struct str body;      /* unstuffed, once asked for */
	bool has_body;
	struct mime_part *root; /* likewise */
};

uint64_t message_size(struct sieve_message *m);
struct str message_body(struct sieve_message *m);
struct mime_part *message_root(struct sieve_message *m);

#endif
