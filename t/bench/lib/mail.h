/* SPDX-License-Identifier: ISC */
/*
 * mail - messages that know their own checksum
 *
 * A message looks as one that Postfix hands on: a Received field of its own with a queue id
 * on top, then From, To, Subject, Date, Message-ID, and
 *
 *   X-Bench: <octets of the body, as they go over the wire> <XXH3 of them, in hex>
 *
 * Whoever receives it needs nothing else to know that it is whole, and where it ends:
 * what a server puts in front does not matter.  The body is the same for all messages of a
 * run, with CRLF, lines of 78 octets, and dots to be stuffed.
 *
 * Owns: struct mail its body; mail_fini().
 */
#ifndef BENCH_MAIL_H
#define BENCH_MAIL_H

#include "lib/buf.h"

#define XXH_STATIC_LINKING_ONLY /* the state of a checksum lies in the struct */
#include <xxhash.h>

#define MAIL_HOST "mx.example.org" /* that the Received field says, and LHLO has to */

struct mail {
	struct buf body; /* dot-stuffed, and ended by CRLF.CRLF */
	uint64_t sum;    /* of all but the last three octets */
};

/* About `octets`, with the header. */
void mail_init(struct mail *m, uint64_t octets);
void mail_fini(struct mail *m);
/* The header of a message that no other is like; the body follows it. */
void mail_put_header(const struct mail *m, uint64_t number, struct str to,
		     struct buf *out);

/* Follows a message that comes in, after the server's first line. */
struct mail_check {
	enum { MAIL_HEADER, MAIL_BODY, MAIL_END, MAIL_WHOLE, MAIL_WRONG } state;
	uint64_t octets; /* of all of it, as sent: without the end, stuffed */
	uint64_t left, sum;
	bool known; /* X-Bench was there */
	XXH3_state_t hash;
};

void mail_check_begin(struct mail_check *c);
/* Returns how many octets it took; ends in MAIL_WHOLE or MAIL_WRONG. */
size_t mail_check_feed(struct mail_check *c, struct str in);

#endif
