/* SPDX-License-Identifier: ISC */
/*
 * folder - the folders of an account, into which its filter files messages
 *
 * A folder is, in all that a message needs, an account of its own: a directory with a
 * profile, a uid, a maildrop and a lease, under a name that nobody can be sent mail by
 * (store/name.h).  So slots, lines, recovery, repair and POP3 sessions know nothing of
 * folders.  What it shares with its account: the password, the quota, and the end.
 * doc/STORE.md, section 20, says what is written in which order.
 *
 * A profile says that its account may have folders, so that whoever has none pays nothing.
 *
 * Limits:  sieve.max_folders, NAME_FOLDER_MAX.
 * Threads: any; who makes one waits for tree_lock().
 * Tests:   t/unit/store/folder.c  t/box/test_folders.py
 */
#ifndef FOLDER_H
#define FOLDER_H

#include "store/account.h"

struct store;

/* *out has the quota of `a`, which holds for both together. */
int folder_find(struct store *s, const struct account *a, struct str folder,
		struct account *out, bool *found, struct err *e);
/* The same; makes it, durably, where it is not there.  *why, static text, is not NULL where
 * there can be none of that name, or no more. */
int folder_make(struct store *s, const struct account *a, struct str folder,
		struct account *out, const char **why, struct err *e);

/* The names of folders that lie beside this account, of whichever incarnation, in order;
 * `each` returning -1 ends it. */
int folder_each(struct store *s, const struct name *account,
		int (*each)(const struct name *folder, void *ctx, struct err *e),
		void *ctx, struct err *e);
/* Whether there is one, and the uid of the account that it says it is of; 0: none says. */
int folder_any(struct store *s, const struct name *account, bool *any, uint64_t *uid,
	       struct err *e);

/* What the folders of an account hold; one that is damaged counts nothing, which is no reason
 * to refuse mail. */
int folder_usage(struct store *s, const struct account *a, struct account_usage *out,
		 struct err *e);
/* What counts for the quota beside the maildrop of `a`, an account or a folder. */
int folder_octets_beside(struct store *s, const struct account *a, uint64_t *octets,
			 struct err *e);

#endif
