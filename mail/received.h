/* SPDX-License-Identifier: ISC */
/*
 * received - the line that the MTA put on top of a message (RFC 5321 s4.4)
 *
 *   Received: from client.example.com (unknown [192.0.2.1])
 *           by mx.example.org (Postfix) with ESMTP id 4bXyz12345
 *           for <alice@example.org>; Sat, 21 Nov 2026 20:13:43 +0000 (UTC)
 *
 * Only the first Received field of a header is looked at: what stands below it comes
 * from somebody else.  What follows `from` is a stranger's word, so clauses are read as
 * pairs, a word that looks like a keyword behind `from` is its value, and a field that
 * names `by` or `id` twice is not understood.  Neither is one that is longer than
 * RECEIVED_MAX, has a quote or a comment that does not end, or lacks `by`, `id` or date.
 *
 * Owns:   nothing: what it gives points into the text.
 * Limits: RECEIVED_MAX octets, comments RECEIVED_DEPTH deep, ids RECEIVED_ID_MAX long.
 * Tests:  t/unit/mail/received.c  t/fuzz/received.c
 */
#ifndef RECEIVED_H
#define RECEIVED_H

#include "lib/str.h"

#include <stdint.h>

enum { RECEIVED_MAX = 4096, RECEIVED_DEPTH = 10, RECEIVED_ID_MAX = 64 };

struct received {
	struct str by;    /* the host that wrote it */
	struct str id;    /* of its queue file */
	uint64_t unix_ms; /* when */
};

/* `text` is a message or its beginning, lines end in CRLF.  False when the first Received
 * field is not there, is not all there, or is not understood. */
bool received_first(struct str text, struct received *out) MUST_USE;

/* The octets that queue ids are made of. */
bool received_is_id(struct str s);

#endif
