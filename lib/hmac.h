/* SPDX-License-Identifier: ISC */
/*
 * hmac - HMAC-SHA-256 (RFC 2104), where every login needs some
 *
 * OpenSSL's HMAC() looks for the algorithm by its name each time, under a lock, which takes
 * several times as long as the sum.  Here it is looked for once in a process.
 *
 * Limits:  a key has at most HMAC_KEY_MAX octets.
 * Threads: any.
 * Tests:   t/unit/lib/hmac.c
 */
#ifndef HMAC_H
#define HMAC_H

#include "lib/str.h"

enum { HMAC_OCTETS = 32, HMAC_KEY_MAX = 64 };

/* `key` as octets. */
void hmac_sha256(struct str key, struct str text, unsigned char out[HMAC_OCTETS]);
/* SHA-256 alone. */
void sha256_of(struct str text, unsigned char out[HMAC_OCTETS]);

#endif
