/* SPDX-License-Identifier: ISC */
/*
 * secret - what proves an account's owner, at rest
 *
 * One record per account in <root>/secrets, mode 0600, a tree of its own so that
 * one process (authd) can be the only reader.  It names the uid of the account it
 * belongs to: a deleted and re-made account does not inherit the old password.
 *
 *   popstore-secret 1
 *   name alice@example.org
 *   uid 0c1g40000000g
 *   set 1795291423000                Unix milliseconds
 *   hash $y$j9T$...$...              yescrypt; or of another system, auth/scheme.h
 *   scram SCRAM-SHA-256$4096:...     a line for each hash, auth/scram.h; or "none": the
 *                                    password has no verifiers
 *   sealed AES-256-GCM:4f1c...:...   the password itself, where the domain asks for it:
 *                                    the id of the key, auth/seal.h in base64
 *   old $y$j9T$...$...               hashes of the passwords before, the last one first
 *   sum 9a0364b9e99bb480
 *
 * What is kept of a password follows the settings and the domain as it is set.  When they
 * change, or where the hash came from another system, the next login that hands over the
 * password brings the record up to date: needs_upgrade, secret_upgrade().  Of a hash that
 * cuts passwords short, what was typed then is the password from there on.
 *
 * A check costs the same whether there is a secret or not, as long as the secret was made
 * at the configured cost.  A hash of another method is made dearer than its own by one
 * more at that cost.
 *
 * Limits:  a hash takes 2^cost / 2 MiB of memory (16 MiB at cost 5); as many run
 *          at once in one process as there are cores, the others wait their turn.
 *          Verifiers are made of well-formed UTF-8 only, see scram_prepare().
 * Threads: any.
 * Tests:   t/unit/auth/secret.c
 */
#ifndef SECRET_H
#define SECRET_H

#include "auth/scram.h"
#include "store/account.h"

struct store;

enum {
	PASSWORD_MAX = 256,
	SECRET_MAX = 4096, /* octets of a record; programs before SCRAM read no more */
	SECRET_HASH_MAX = 384,
	SECRET_SEALED_MAX = 448,
	SECRET_HISTORY_MAX = 24,
};

/* ---- reading ------------------------------------------------------------------- */

struct secret {
	bool found;         /* nothing else is set where there is none */
	uint64_t set_ms;    /* when the password was set, Unix milliseconds */
	uint64_t version;   /* another one once anything is changed; 0: none */
	bool needs_upgrade; /* see secret_upgrade() */
	bool has_scram;     /* all verifiers are there */
	bool scram_none;    /* the password can have none */
	bool recoverable;   /* the domain asks for it now */
	struct buf text;    /* the record */
	char hash[SECRET_HASH_MAX];
	char scram[SCRAM_HASHES][SCRAM_TEXT_MAX]; /* "" where there is none */
	char sealed[SECRET_SEALED_MAX];           /* "" likewise */
};

/* The secret of this incarnation, or !found: also for PWD_ELSEWHERE.  -1 leaves nothing
 * to secret_fini(). */
int secret_read(struct store *s, const struct account *a, struct secret *out,
		struct err *e);
void secret_fini(struct secret *x); /* wipes */
/* Only its version: one read.  Who remembers that a password was right asks whether
 * the secret is still the one it was right for. */
int secret_version(struct store *s, const struct account *a, uint64_t *version,
		   struct err *e);
/* What the record of a secret is known by, see storage_stamp(); !found: there is none. */
int secret_stamp(struct store *s, const struct name *name, uint64_t *stamp, bool *found,
		 struct err *e) MUST_USE;
/* Set so long ago that auth.password_lifetime is over; 0: there is no secret. */
bool secret_is_expired(const struct settings *set, uint64_t set_ms, uint64_t now_ms);

/* *match; no secret at all does not match, and takes as long. */
int secret_matches(struct store *s, const struct secret *x, struct str password,
		   bool *match, struct err *e);
/* The same for one of its old passwords, the newest `n` of them: for the history. */
int secret_was(const struct secret *x, size_t n, struct str password, bool *match,
	       struct err *e);
/* Spends the time of a check, for a name that is no account. */
void secret_check_nobody(struct store *s, struct str password);
/* secret_read() and secret_matches() */
int secret_check(struct store *s, const struct account *a, struct str password,
		 bool *match, struct err *e);
/* The password itself, into a secret buffer.  ERR_PERM (5.7.0) where none is sealed, ERR_TEMP
 * where the site key is another than sealed it, or lost. */
int secret_open_sealed(struct store *s, const struct account *a, const struct secret *x,
		       struct buf *password, struct err *e);

/* ---- setting, in two steps: thousands are hashed on all cores -------------------- */

struct secret_prepared {
	char hash[SECRET_HASH_MAX]; /* "": no secret */
	char scram[SCRAM_HASHES][SCRAM_TEXT_MAX];
	bool scram_none;
	char password[PASSWORD_MAX + 1]; /* to be sealed, perhaps; "" of a hash */
};

/* The slow part; touches no disk.  ERR_PERM for an empty password, one with control
 * octets, or one longer than PASSWORD_MAX. */
int secret_prepare(const struct settings *set, struct str password,
		   struct secret_prepared *out, struct err *e);
/* The same from "{SCHEME}hash"; of {PLAIN} it makes what secret_prepare() does. */
int secret_prepare_hash(const struct settings *set, struct str hash,
			struct secret_prepared *out, struct err *e);
void secret_prepared_wipe(struct secret_prepared *p);

/* Stores, durably (or with the batch, see account_create()).  ERR_PERM for an account
 * whose password is kept elsewhere. */
int secret_put(struct store *s, const struct account *a, const struct secret_prepared *p,
	       bool batch, struct err *e);
/* The same, durably, unless the secret is not `was` any more: ERR_TEMP.  For a user, whose
 * old password was right, and who must not undo what a manager did meanwhile. */
int secret_replace(struct store *s, const struct account *a, const struct secret *was,
		   const struct secret_prepared *p, struct err *e);
/* secret_prepare() and secret_put() */
int secret_set(struct store *s, const struct account *a, struct str password, bool batch,
	       struct err *e);
int secret_delete(struct store *s, const struct name *name, struct err *e);

/* ---- keeping up ------------------------------------------------------------------ */

/* After a login by a password that matched `was`: what is not as settings and domain
 * ask for now.  Nothing becomes weaker, and `set` stays.  Does nothing where `was` is up to
 * date, or not in force any more. */
int secret_upgrade(struct store *s, const struct account *a, const struct secret *was,
		   struct str password, struct err *e);
/* For a domain that is recoverable no more; *had tells whether there was one. */
int secret_drop_sealed(struct store *s, const struct account *a, bool *had,
		       struct err *e);

#endif
