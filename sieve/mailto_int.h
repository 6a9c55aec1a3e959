/* SPDX-License-Identifier: ISC */
/*
 * mailto - a mailto URI as a method of notification (RFC 5436, RFC 6068)
 *
 * Of its header fields only to, subject and body are looked at: a script must not write
 * others.  Line ends in a subject become blanks.
 *
 * Limits: MAILTO_RECIPIENTS, MAILTO_OCTETS of URI.
 * Tests:  t/sieve/enotify.svtest
 */
#ifndef MAILTO_INT_H
#define MAILTO_INT_H

#include "sieve/run_int.h"

enum { MAILTO_RECIPIENTS = 8, MAILTO_OCTETS = 4096 };

struct mailto {
	struct str to[MAILTO_RECIPIENTS]; /* as RFC 5321 writes addresses */
	size_t n;
	struct str subject, body;
};

/* False: it is no such URI, or names no recipient.  Lies in `a`. */
bool mailto_parse(struct arena *a, struct str uri, struct mailto *out);

/* "%40" is "@".  False: a "%" without two digits, or what comes of it is a NUL or no UTF-8. */
bool uri_decode(struct arena *a, struct str s, struct str *out);

#endif
