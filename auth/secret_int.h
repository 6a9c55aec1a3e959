/* SPDX-License-Identifier: ISC */
/*
 * secret_int - what the parts of secret share
 *
 * Files: secret.c (reading and checking), secret_hash.c (crypt(3) and its turns, what is
 * made of a password), secret_change.c (the record, and everything that writes it)
 */
#ifndef SECRET_INT_H
#define SECRET_INT_H

#include "auth/secret.h"
#include "auth/site_key.h"

extern const char secret_kind[];

/* ---- secret_hash.c ---------------------------------------------------------------- */

int secret_password_check(struct str password, struct err *e);
/* Does it match the hash of a record?  -1: nobody knows such a hash.  Takes the time of one at
 * the configured cost at least, if `set` is given. */
int secret_hash_matches(const struct settings *set, const char *hash, struct str password,
			bool *match, struct err *e);
int secret_hash_new(const struct settings *set, struct str password,
		    char out[SECRET_HASH_MAX], struct err *e);
/* All verifiers of a password, or *none. */
int secret_scram_new(const struct settings *set, struct str password,
		     char out[SCRAM_HASHES][SCRAM_TEXT_MAX], bool *none, struct err *e);
bool secret_hash_is_weak(const struct settings *set, const char *hash);
bool secret_scram_is_weak(const struct settings *set, const struct secret *x);

/* ---- secret.c --------------------------------------------------------------------- */

/* secret_read() of the record alone: needs_upgrade and recoverable are not told. */
int secret_load(struct store *s, const struct account *a, struct secret *out,
		struct err *e);

/* Whether the domain asks for recoverable passwords.  SEALING_UNKNOWN where its record is
 * damaged: what is there stays, and nothing new is sealed. */
enum secret_sealing { SEALING_NO, SEALING_YES, SEALING_UNKNOWN };
int secret_sealing(struct store *s, const struct account *a, enum secret_sealing *out,
		   struct err *e);
/* Names the site key in a sealed password. */
struct secret_key_id {
	char hex[17];
};
struct secret_key_id secret_key_id(const unsigned char derived[SITE_KEY_OCTETS]);
/* What a sealed password is bound to: "alice@example.org 0c1g40000000g" */
void secret_context(const struct account *a, struct buf *out);
#define SECRET_SEALED_BY "AES-256-GCM"

#endif
