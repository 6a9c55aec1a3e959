/* SPDX-License-Identifier: ISC */
/*
 * secret - what proves an account's owner, at rest
 *
 * One record per account in <root>/secrets, mode 0600, a tree of its own so that
 * one process (authd) can be the only reader.  Holds a yescrypt hash (libxcrypt)
 * and the uid of the account it belongs to: a deleted and re-made account does
 * not inherit the old password.
 *
 *   popstore-secret 1
 *   name alice@example.org
 *   uid 0c1g40000000g
 *   set 1795291423000                Unix milliseconds
 *   hash $y$j9T$...$...
 *   sum 9a0364b9e99bb480
 *
 * A check costs the same whether there is a secret or not, as long as the secret
 * was made at the configured cost: a change of auth.yescrypt_cost reaches an
 * account when its password is set again.
 *
 * Limits:  a hash takes 2^cost / 2 MiB of memory (16 MiB at cost 5); as many run
 *          at once in one process as there are cores, the others wait their turn.
 * Threads: any.
 * Tests:   t/unit/auth/secret.c
 */
#ifndef SECRET_H
#define SECRET_H

#include "store/account.h"

struct store;

enum { PASSWORD_MAX = 256, SECRET_HASH_MAX = 384 };

/* Hashes and stores, durably (or with the batch, see account_create()).  ERR_PERM for an empty password, one with control
 * octets, or one longer than PASSWORD_MAX. */
int secret_set(struct store *s, const struct account *a, struct str password, bool batch,
	       struct err *e);
/* *match; no secret at all does not match, and takes as long. */
int secret_check(struct store *s, const struct account *a, struct str password,
		 bool *match, struct err *e);
int secret_delete(struct store *s, const struct name *name, struct err *e);
/* Spends the time of a check, for a name that is no account. */
void secret_check_nobody(struct store *s, struct str password);
/* When the password was set (Unix milliseconds); 0: the account has none. */
int secret_set_ms(struct store *s, const struct account *a, uint64_t *ms, struct err *e);

/* ---- secret_set() in two steps: thousands are hashed on all cores ------------ */

struct secret_hash {
	char s[SECRET_HASH_MAX];
};

/* The slow part; touches no disk. */
int secret_hash(const struct settings *set, struct str password, struct secret_hash *out,
		struct err *e);
int secret_put(struct store *s, const struct account *a, const struct secret_hash *hash,
	       bool batch, struct err *e);

#endif
