/* SPDX-License-Identifier: ISC */
/*
 * base64 - RFC 4648 section 4, with padding and nothing else
 *
 * Strict: one text for each run of octets.  No blanks, no line ends, no missing
 * padding, and no bits set that padding leaves over.
 *
 * Owns:  nothing.  What is decoded may be a secret: it goes into the caller's buffer
 *        alone.
 * Tests: t/unit/lib/base64.c
 */
#ifndef BASE64_H
#define BASE64_H

#include "lib/buf.h"

/* Octets of the text for n octets. */
#define BASE64_OCTETS(n) (((n) + 2) / 3 * 4)

void base64_encode(struct str octets, struct buf *out);
/* Appends; false, and nothing appended, where `text` is not what base64_encode() makes. */
bool base64_decode(struct str text, struct buf *out) MUST_USE;

#endif
