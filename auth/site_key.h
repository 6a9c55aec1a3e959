/* SPDX-License-Identifier: ISC */
/*
 * site_key - 32 random octets that belong to this store, and what is derived from them
 *
 * Kept in <root>/secrets/site-key (mode 0600), made when it is first needed and never
 * overwritten:
 *
 *   popstore-site-key 1
 *   made 1795291423000               Unix milliseconds
 *   key GHP1...=                     base64
 *   sum 9a0364b9e99bb480
 *
 * Nobody uses the key itself: each use has its own, by HKDF (RFC 5869) with SHA-256 and the
 * name of the use.  Uses are "seal" (recoverable passwords), "seal id" (names the key that
 * sealed one, and tells nothing of it) and "scram" (verifiers of unknown users).
 *
 * Who loses the file loses the recoverable passwords: they have to be set again.  Who
 * copies it, and the secrets, can read them.
 *
 * Threads: any.
 * Tests:   t/unit/auth/site_key.c
 */
#ifndef SITE_KEY_H
#define SITE_KEY_H

#include "lib/err.h"

struct store;

enum { SITE_KEY_OCTETS = 32 };

/* The key of a use.  ERR_TEMP where the file is damaged. */
int site_key_derive(struct store *s, const char *use, unsigned char out[SITE_KEY_OCTETS],
		    struct err *e);
/* The same, but no key is made: *found. */
int site_key_find(struct store *s, const char *use, unsigned char out[SITE_KEY_OCTETS],
		  bool *found, struct err *e);

#endif
