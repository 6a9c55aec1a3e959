/* SPDX-License-Identifier: ISC */
/*
 * retry - what a message is known by when the MTA sends it once more
 *
 * A reply can get lost after the message was stored, and the MTA sends it again
 * (RFC 5321 s4.5.3.2.6).  The delivery agent makes a key of what only the same queue
 * file can have (channel/retry.h); message file and maildrop keep it, and an account
 * that has, or had, a message with this key gets no second one: maildrop_append()
 * looks, under the lock of the maildrop, so that of two attempts at once one is first.
 * doc/STORE.md, section 16, has the argument, the window and the cost.
 *
 * The store knows nothing of how a key is made: 128 bits, all of them zero for none.
 *
 * Tests: t/unit/store/retry.c
 */
#ifndef RETRY_H
#define RETRY_H

#include "lib/str.h"

#include <stdint.h>

enum { RETRY_KEY_DIGITS = 32 };

struct retry_key {
	uint64_t high, low;
};

struct retry_text {
	char c[RETRY_KEY_DIGITS + 1];
};

bool retry_key_is_set(struct retry_key k);
bool retry_key_eq(struct retry_key a, struct retry_key b);
/* 32 lower-case hex digits */
struct retry_text retry_key_print(struct retry_key k);
bool retry_key_parse(struct str s, struct retry_key *out) MUST_USE;

#endif
