/* SPDX-License-Identifier: ISC */
/*
 * scheme - password hashes that other systems made: "{SCHEME}hash"
 *
 *   {CRYPT}                      crypt(3): DES, MD5, SHA-256, SHA-512, bcrypt, yescrypt
 *   {MD5-CRYPT} {SHA256-CRYPT} {SHA512-CRYPT} {BLF-CRYPT} {BCRYPT} {YESCRYPT}
 *                                the same, and of this method alone
 *   {SHA} {SHA256} {SHA512}      base64 of the digest (RFC 2307)
 *   {SSHA} {SSHA256} {SSHA512} {SMD5}
 *                                base64 of digest and salt, which follows the password
 *   {MD5} {LDAP-MD5}             base64 of the digest; {MD5}$1$... is {MD5-CRYPT}
 *   {PLAIN-MD5}                  hex of the digest
 *   {PLAIN} {CLEARTEXT}          the password itself
 *
 * Only to verify: nothing here makes a hash.  Schemes are of any case.  What a hash may
 * cost is bounded, since whoever logs in pays for it again and again.
 *
 * A scheme that cuts a password (DES at 8 octets, bcrypt at 72) takes a longer one that
 * begins alike, here as where it came from.
 *
 * Owns:   nothing; a struct scheme borrows from the text it was parsed from.
 * Limits: SCHEME_TEXT_MAX octets; crypt(3) of SHA up to SCHEME_ROUNDS_MAX rounds, bcrypt up
 *         to cost SCHEME_BCRYPT_MAX, yescrypt up to cost 11 of crypt_gensalt(3).
 * Tests:  t/unit/auth/scheme.c  t/fuzz/scheme.c
 */
#ifndef SCHEME_H
#define SCHEME_H

#include "lib/buf.h"
#include "lib/err.h"

enum {
	SCHEME_TEXT_MAX = 383,
	SCHEME_SALT_MAX = 64,
	SCHEME_ROUNDS_MAX = 1000000,
	SCHEME_BCRYPT_MAX = 15,
};

enum scheme_kind {
	SCHEME_CRYPT,  /* `value` is for crypt(3) */
	SCHEME_DIGEST, /* octets: the digest, and the salt behind it */
	SCHEME_PLAIN,  /* `value` is the password */
};

struct scheme_row;

struct scheme {
	enum scheme_kind kind;
	struct str value; /* what follows the scheme; borrowed */
	const struct scheme_row *row;
	unsigned char octets[64 + SCHEME_SALT_MAX];
	size_t digest_n, n;
};

/* ERR_PERM says what is wrong with it, without a word of it. */
int scheme_parse(struct str text, struct scheme *out, struct err *e);
/* Does it begin as one, "{SSHA}", whatever follows? */
bool scheme_is_named(struct str text);
/* The text for a record: what crypt(3) knows stands alone there. */
void scheme_print(const struct scheme *x, struct buf *out);
/* Of a SCHEME_DIGEST; in constant time. */
bool scheme_matches(const struct scheme *x, struct str password);

#endif
