/* SPDX-License-Identifier: ISC */
/*
 * account_mend - what was lost or left of an account, for check
 *
 * A deletion leaves proof: it renames the profile to `deleted`, and removes the directory
 * only when every slot of the account was let go, durably.  So whatever has mail and no such
 * mark is damage, and nobody's wish.
 *
 *   profile  deleted  maildrop, or scripts
 *   whole    any      any       an account
 *   damaged  any      any       ACCOUNT_DAMAGED; ACCOUNT_REMNANT if nothing but zeros and
 *                               without mail: a batch that was never synced
 *   -        yes      any       ACCOUNT_DELETED
 *   -        -        has mail  ACCOUNT_LOST
 *   -        -        -         ACCOUNT_REMNANT: what a crash left of `add`
 *
 * Tests: t/unit/store/check_lost.c
 */
#ifndef ACCOUNT_MEND_H
#define ACCOUNT_MEND_H

#include "store/account.h"

enum account_standing {
	ACCOUNT_NOWHERE, /* no directory */
	ACCOUNT_REMNANT,
	ACCOUNT_DELETED,
	ACCOUNT_LOST,
	ACCOUNT_DAMAGED, /* or whole: that account_find() tells */
};

int account_standing(struct store *s, const struct name *name, enum account_standing *out,
		     struct err *e);
/* Whose deletion it is; 0: what tells is damaged, so that of any incarnation. */
int account_deleted_uid(struct store *s, const struct name *name, uint64_t *uid,
			struct err *e);
/* What is marked as deleted is a copy of another account's directory: its messages are that
 * one's, and are not to be let go. */
int account_deleted_is_copy(struct store *s, const struct name *name, bool *copy,
			    struct err *e);
/* Removes an ACCOUNT_REMNANT; *cleared is false when it is none any more. */
int account_clear_remnant(struct store *s, const struct name *name, bool *cleared,
			  struct err *e);
/* An ACCOUNT_REMNANT or ACCOUNT_DELETED at which nobody is working now. */
int account_is_halfway(struct store *s, const struct name *name, bool *halfway,
		       struct err *e);
/* Ends the deletion of an ACCOUNT_DELETED.  Where the maildrop does not say which messages
 * it had, every message of the store is looked at.  ERR_TEMP while one that goes on holds
 * the lease, or while a volume is away. */
int account_finish_deletion(struct store *s, const struct name *name, struct err *e);
/* Removes the mark of a deletion beside a whole profile, which is none. */
int account_unmark(struct store *s, const struct name *name, bool *was, struct err *e);

enum account_mended {
	ACCOUNT_WAS_WHOLE, /* by now */
	ACCOUNT_EXACTLY,   /* proved by its checksum */
	ACCOUNT_IN_PART,   /* the rest is the template's */
	ACCOUNT_LOCKED,    /* the same, and its flags are not known: DISUSER */
};

/* Makes the profile of an ACCOUNT_LOST or ACCOUNT_DAMAGED again.  `uid` is the incarnation
 * for which a message is held under this name, 0 if nobody knows of one. */
int account_mend(struct store *s, const struct name *name, uint64_t uid,
		 struct account *out, enum account_mended *how, struct err *e);
/* Moves the directory `path`, which holds the whole profile of this account, to its place if
 * that is ACCOUNT_NOWHERE; else *moved is false. */
int account_bring_home(struct store *s, const char *path, const struct name *name,
		       bool *moved, struct err *e);
/* Makes an account that is ACCOUNT_NOWHERE again, with DISUSER and the uid for which messages
 * are held.  ERR_PERM as for account_create(). */
int account_make_again(struct store *s, const struct name *name, uint64_t uid,
		       struct account *out, struct err *e);

#endif
