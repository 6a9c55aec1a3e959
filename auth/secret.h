/* SPDX-License-Identifier: ISC */
/*
 * secret - what proves an account's owner, at rest
 *
 * One record per account in <root>/secrets, mode 0600, a tree of its own so that
 * one process (authd) can be the only reader.  Holds a yescrypt hash (libxcrypt)
 * and the uid of the account it belongs to: a deleted and re-made account does
 * not inherit the old password.
 *
 * Tests: t/unit/auth/secret.c
 */
#ifndef SECRET_H
#define SECRET_H

#include "store/account.h"

struct store;

enum { PASSWORD_MAX = 256 };

/* Hashes and stores, durably (or with the batch, see account_create()).  ERR_PERM for an empty password, one with control
 * octets, or one longer than PASSWORD_MAX. */
int secret_set(struct store *s, const struct account *a, struct str password, bool batch,
	       struct err *e);
/* *match; no secret at all does not match, and takes as long. */
int secret_check(struct store *s, const struct account *a, struct str password, bool *match,
		 struct err *e);
int secret_delete(struct store *s, const struct name *name, struct err *e);
/* Spends the time of a check, for a name that is no account. */
void secret_check_nobody(struct store *s, struct str password);

#endif
