/* SPDX-License-Identifier: ISC */
/*
 * scram - what a server keeps to check a SCRAM login (RFC 5802, 7677): verifiers
 *
 * A verifier lets its holder check a proof, and not make one.  It is kept as Cyrus SASL
 * reads its property authPassword:
 *
 *   SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>       (base64)
 *
 * The password is prepared as RFC 4013 says (SASLprep), by libidn: ASCII as it is,
 * other text normalised.  One that cannot be prepared - no UTF-8, forbidden characters,
 * characters that Unicode 3.2 did not know - has no verifiers, since clients would not
 * agree on them: its owner logs in with PLAIN.  libidn does not wipe the memory that it
 * takes for what is not ASCII.
 *
 * Limits: SCRAM_ITERATIONS_MAX bounds what a verifier of another system costs a client.
 * Tests:  t/unit/auth/scram.c
 */
#ifndef SCRAM_H
#define SCRAM_H

#include "lib/buf.h"
#include "lib/err.h"

enum scram_hash { SCRAM_SHA_1, SCRAM_SHA_256, SCRAM_SHA_512, SCRAM_HASHES };

enum {
	SCRAM_ITERATIONS_MIN = 4096, /* RFC 5802 s5.1, RFC 7677 s4 */
	SCRAM_ITERATIONS_MAX = 1000000,
	SCRAM_SALT_OCTETS = 16, /* of those that are made here */
	SCRAM_SALT_MAX = 32,
	SCRAM_KEY_MAX = 64,
	SCRAM_TEXT_MAX = 264, /* of a printed one, with NUL */
	SCRAM_FAKE_KEY = 32,
};

struct scram_verifier {
	enum scram_hash hash;
	uint32_t iterations;
	size_t salt_n;
	unsigned char salt[SCRAM_SALT_MAX];
	/* As many octets as scram_key_octets() says. */
	unsigned char stored_key[SCRAM_KEY_MAX], server_key[SCRAM_KEY_MAX];
};

const char *scram_mechanism(enum scram_hash hash); /* "SCRAM-SHA-256" */
size_t scram_key_octets(enum scram_hash hash);

/* False where the password cannot be prepared.  `out` is a secret. */
bool scram_prepare(struct str password, struct buf *out);
/* These fill in the rest of *v, whose hash and iterations are given.  Of a prepared password,
 * with the salt in *v: */
int scram_make(struct str prepared, struct scram_verifier *v, struct err *e);
/* The same with a fresh salt. */
int scram_new(struct str prepared, struct scram_verifier *v, struct err *e);
/* For a name that nobody has: one that no password fits, the same each time for the same
 * key and name, so that an unknown name looks like a known one until the proof. */
int scram_fake(const unsigned char key[SCRAM_FAKE_KEY], struct str name,
	       struct scram_verifier *v, struct err *e);

void scram_print(const struct scram_verifier *v, struct buf *out);
bool scram_parse(struct str text, struct scram_verifier *out) MUST_USE;

#endif
