/* SPDX-License-Identifier: ISC */
/*
 * retry - what shows that the MTA sends a message once more
 *
 * Makes the key that the store compares (store/retry.h): Poly1305 (RFC 8439) over every
 * octet of the message as the MTA sent it, by a key that SHA-256 makes of a secret, the
 * envelope sender and the queue id.  These are the same at every attempt, and never the same for two queue files, since on top of
 * the message stands the line that the MTA wrote when it made the file: with its own
 * name, the queue id, and the date.  Never by the Message-ID, which is the author's.
 *
 * So a key is made only when that line is our MTA's own beyond doubt: the first Received
 * field is understood (mail/received.h), and was written by the host that the client says
 * it is (LHLO), or has the queue id that the client says it delivers (XFORWARD IDENT).
 * Anything else has no key, and is stored as often as it comes.
 *
 * A sum that nobody can find a second message for who does not know the secret, since
 * somebody might gain by it: who reads a message that is still on its way to another
 * recipient knows its octets.  doc/STORE.md, section 16, says why this will do, and is
 * seven times as fast as SHA-256 of it all.
 *
 * Owns:   the sum, the first octets of a message.
 * Limits: the field ends within RETRY_FIRST_OCTETS of the message's beginning.
 * Tests:  t/unit/channel/retry.c  t/box/test_retry.py
 */
#ifndef CHANNEL_RETRY_H
#define CHANNEL_RETRY_H

#include "lib/str.h"
#include "store/retry.h"

struct retry;

enum { RETRY_FIRST_OCTETS = 8192 };

/* The secret is the same in all processes and at each start, or nothing is known again. */
struct retry *retry_new(uint64_t secret);
void retry_free(struct retry **r);

/* What is said of the message before it comes; borrowed until the key is made. */
struct retry_says {
	struct str peer_name; /* LHLO */
	struct str ident;     /* XFORWARD; "" = nothing was said */
	struct str sender;
};

/* Begins a message, whatever became of the last one. */
void retry_begin(struct retry *r, const struct retry_says *says);
void retry_feed(struct retry *r, struct str stored);
/* After the last octet.  False: it has no key.  *queued_ms is when the MTA made the
 * queue file, by its own clock. */
bool retry_key(struct retry *r, struct retry_key *key, uint64_t *queued_ms);

#endif
