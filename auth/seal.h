/* SPDX-License-Identifier: ISC */
/*
 * seal - a short text that only the holder of a key reads: AES-256-GCM
 *
 * Sealed octets are nonce (12), ciphertext, tag (16).  The context is not kept in them,
 * and has to be the same when they are opened: octets that were moved to another
 * account open no more than damaged ones.  The nonce is random: 2^32 seals by one key
 * are safe (NIST SP 800-38D s8.3).
 *
 * Tests: t/unit/auth/seal.c
 */
#ifndef SEAL_H
#define SEAL_H

#include "lib/buf.h"
#include "lib/err.h"

enum { SEAL_KEY = 32, SEAL_NONCE = 12, SEAL_TAG = 16, SEAL_MORE = SEAL_NONCE + SEAL_TAG };

/* Appends SEAL_MORE octets more than `text` has. */
int seal_make(const unsigned char key[SEAL_KEY], struct str context, struct str text,
	      struct buf *out, struct err *e);
/* Appends the text; false, and nothing appended, where key, context or an octet differ. */
bool seal_open(const unsigned char key[SEAL_KEY], struct str context, struct str sealed,
	       struct buf *out) MUST_USE;

#endif
