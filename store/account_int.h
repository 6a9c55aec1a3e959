/* SPDX-License-Identifier: ISC */
/*
 * account_int - what the parts of account share, and store/domain.c, which holds
 *               tree_lock() already
 */
#ifndef ACCOUNT_INT_H
#define ACCOUNT_INT_H

#include "store/account.h"
#include "store/record.h"

int account_create_locked(struct store *s, struct account *a, bool batch, struct err *e);
int account_delete_locked(struct store *s, const struct name *name, struct err *e);
/* "default@<domain>" */
int account_template_name(struct store *s, const struct name *domain, struct name *out,
			  struct err *e);

/* ---- the profile as text ------------------------------------------------------- */

extern const char account_kind[];

/* The lines, without a look at the sum. */
bool account_parse(struct str text, const struct name *name, struct account *out);
/* A known_parse() that makes a struct account. */
int account_read_known(struct str text, const struct name *name, const char *path,
		       void *out, struct err *e);
/* The same, with its sum. */
bool account_is_whole(struct str text, const struct name *name, struct account *out);
/* A profile of another account than the one in whose place it stands. */
bool account_of_another(struct str text, const struct name *name, struct account *out);
/* Ends with record_fini(). */
void account_print(const struct account *a, struct record_writer *w);
/* storage_put() of it, with its flags. */
int account_put(struct store *s, const struct account *a, int how, bool *existed,
		struct err *e);
/* Of a new one, so that no login needs an inode of a disk that has no more.  Where it fails
 * the first login makes it. */
void account_make_lease(struct store *s, const struct name *name);
/* account_find() that takes a lost profile for no account. */
int account_read(struct store *s, const struct name *name, struct account *out,
		 bool *found, struct err *e);

/* The same incarnation as it is now, under tree_lock(); ERR_PERM when it is gone. */
int account_find_same(struct store *s, const struct account *a, struct account *now,
		      struct err *e);

/* Whether this file is in its directory; NULL: the directory itself. */
int account_has(struct store *s, const struct name *name, const char *leaf, bool *found,
		struct err *e);

/* ---- what is left in a directory ----------------------------------------------------- */

/* Under tree_lock(): ends a deletion that was stopped, removes what an `add` left, and
 * refuses (ERR_TEMP) where mail is. */
int account_clear_locked(struct store *s, const struct name *name, struct err *e);
int account_does_not_exist(const struct name *name, struct err *e);

#endif
