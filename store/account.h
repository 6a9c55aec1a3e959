/* SPDX-License-Identifier: ISC */
/*
 * account - who may hold messages: the profile
 *
 * The account named `default` of each domain is the template of new ones; it
 * receives nothing and cannot log in.  An account's uid names its incarnation:
 * after delete and add, messages of the first one can never reach the second.
 *
 * A name stands for itself here, as a canonical name of the domain that holds it:
 * aliases, forwardings and subaddresses are for verdict_of() and auth_password().
 *
 * A directory that has mail and neither a profile nor the mark of a deletion (`deleted`) is
 * an account whose profile was lost; store/account_mend.h makes it again.
 *
 * Threads: any; what changes names waits for one lock (store/tree.h).  Of two who
 *          update one account at once, the last one's record stands.
 * Tests: t/unit/store/account.c
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "store/name.h"

struct store;

#define QUOTA_NONE UINT64_MAX

enum account_flag {
	ACCOUNT_DISMAIL = 1, /* gets no new mail; the owner may read what is there */
	ACCOUNT_DISUSER = 2, /* the owner cannot log in; mail is still stored */
	ACCOUNT_LOCKPWD = 4, /* the owner cannot change the password */
	ACCOUNT_PWD_ELSEWHERE = 8, /* the password is never kept in the store */
};

enum { SCRIPT_ID_DIGITS = 32 };

struct account {
	struct name name;
	uint64_t uid;
	uint64_t created_ms;
	unsigned flags;     /* enum account_flag */
	uint64_t quota;     /* octets, or QUOTA_NONE */
	uint64_t overdraft; /* octets above the quota that one message may reach */
	char owner[128];    /* free text */
	char group[64];     /* management group, "" = world */
	char script[SCRIPT_ID_DIGITS +
		    1];     /* the active one (store/script.h), "" = none */
	bool folders;       /* it may have folders (store/folder.h) */
	uint64_t folder_of; /* it is one, of the account with this uid; 0: it is none */
};

struct account_usage {
	uint64_t messages, octets;
};

/* ERR_TEMP also where the profile is lost and the maildrop is not: there is an account, so
 * nobody is told that there is none. */
int account_find(struct store *s, const struct name *name, struct account *out,
		 bool *found, struct err *e);
/* What its profile is known by, see storage_stamp(); !found: there is none. */
int account_stamp(struct store *s, const struct name *name, uint64_t *stamp, bool *found,
		  struct err *e) MUST_USE;
/* Fills *out with the domain's defaults under this name, to change and create.
 * ERR_PERM where domain_get() says so. */
int account_template(struct store *s, const struct name *name, struct account *out,
		     struct err *e);
/* uid and created_ms are set here.  ERR_PERM when the name is an account or a
 * forwarding, or the domain is unknown or an alias; ERR_TEMP while an account of this
 * name is being deleted.  With `batch` the account is durable after
 * store_sync_batch() only: for adding thousands. */
int account_create(struct store *s, struct account *a, bool batch, struct err *e);
int store_sync_batch(struct store *s, struct err *e);
/* ERR_PERM when this incarnation (a->uid) is gone.  Which script is active stays as it is, and
 * whether it has folders. */
int account_update(struct store *s, const struct account *a, struct err *e);
/* Removes the account and lets go of every message.  ERR_TEMP while a POP3 session
 * holds the maildrop.  Once its profile is `deleted` it is gone, durably, whatever
 * fails then: *e says so, and `popstore check --repair` does the rest. */
int account_delete(struct store *s, const struct name *name, struct err *e);
/* The same for one whose profile is damaged or lost.  Where its maildrop does not say which
 * messages it has, all of the store are looked at. */
int account_delete_damaged(struct store *s, const struct name *name, struct err *e);
/* What the maildrop holds, and its folders: a read of the tail of each. */
int account_usage(struct store *s, const struct account *a, struct account_usage *out,
		  struct err *e);

/* Every account whose name matches the glob `pattern`, in no order, `default`
 * ones included, folders not; `each` returns false to stop. */
int account_each(struct store *s, struct str pattern,
		 bool (*each)(const struct account *a, void *ctx), void *ctx,
		 struct err *e);
/* The same for damaged profiles: a profile that cannot be read ends account_each()
 * with an error that names it; this variant reports it through `bad` and goes on. */
int account_walk(struct store *s, struct str pattern,
		 bool (*each)(const struct account *a, void *ctx),
		 bool (*bad)(const struct name *n, const struct err *why, void *ctx),
		 void *ctx, struct err *e);

bool account_is_template(const struct account *a);
const char *account_flag_name(unsigned flag);                    /* "DISMAIL" */
bool account_flag_parse(struct str s, unsigned *flag, bool *on); /* "nodismail" */

#endif
