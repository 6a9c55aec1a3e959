/* SPDX-License-Identifier: ISC */
/*
 * reply - a message that nobody wrote: an answer of vacation (RFC 5230), a notification
 *         (RFC 5436)
 *
 * In stored form, so that it takes the ways of every other message.  Whatever a value is, it
 * ends no line of the header.  Text that is not short lines of ASCII goes as base64.
 *
 * Limits: REPLY_MAX octets; REPLY_RECIPIENTS.
 * Tests:  t/unit/mail/reply.c
 */
#ifndef REPLY_H
#define REPLY_H

#include "lib/buf.h"

#include <stdint.h>

enum { REPLY_MAX = 1 << 20, REPLY_RECIPIENTS = 100, REPLY_REFERENCES_MAX = 900 };

struct reply {
	struct str from; /* "Alice <alice@example.org>", or the address alone */
	const struct str *to;
	size_t n_to;
	struct str subject, text;
	bool mime;             /* text is a MIME part with its header */
	const char *submitted; /* Auto-Submitted (RFC 3834), without a line end */
	const char *id;        /* of its Message-ID, the part before the @ */
	const char *host;      /* ... and behind */
	struct str message_id; /* of what is answered; "" = none */
	struct str references; /* of the same */
	unsigned importance;   /* 1 to 3; 0: not said */
	uint64_t unix_ms;
};

/* False: it is too large. */
bool reply_print(const struct reply *r, struct buf *out) MUST_USE;

#endif
