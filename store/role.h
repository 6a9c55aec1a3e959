/* SPDX-License-Identifier: ISC */
/*
 * role - what each process of popstore may do, as a table
 *
 *   role        user          sees                                      may besides
 *   popstored   as started    everything                                start programs, bind
 *   lmtp        the owner     accounts and messages; reads names        hand mail to submit
 *   pop3        the owner     accounts and messages; reads names
 *   pop3-login  a stranger's  no file                                   hand sockets away
 *   sieve       the owner     accounts; reads names
 *   sieve-login a stranger's  no file                                   hand sockets away
 *   poppassd    a stranger's  no file
 *   authd       the owner     secrets; reads accounts and names         make connections
 *   policy      the owner     reads accounts and names
 *   milter      the owner     reads accounts and names
 *   submit      the owner     everything its user may                   run sendmail(1)
 *
 * "The owner" is who owns store.root.  A process that was started as root becomes that user;
 * one that was not stays who it is, and gives up all that needs no root to be given up.
 * Two roles cannot be confined like the others: under no_new_privs the MTA's set-group-id
 * helper would not work, so submit and who starts it go without, and the kernel gives
 * neither Landlock nor a filter of its own to such a process.
 *
 * role_enter() stands between the reading of the configuration (and the binding of
 * sockets) and the first octet from outside.  What is opened before stays open.  Grants
 * hold for directories as they are then: one that is put in the place of another is not
 * seen before a reload.
 *
 * Logs:   role.entered (debug) and role.incomplete: all programs would write the same (an
 *         exception to lib/log.h's rule).
 * Tests:  t/unit/store/role.c  t/box/test_privileges.py
 */
#ifndef ROLE_H
#define ROLE_H

#include "lib/settings.h"

#include <sys/types.h>

enum role_id {
	ROLE_DISPATCHER,
	ROLE_LMTP,
	ROLE_POP3,
	ROLE_POP3_LOGIN,
	ROLE_SIEVE,
	ROLE_SIEVE_LOGIN,
	ROLE_POPPASSD,
	ROLE_AUTHD,
	ROLE_POLICY,
	ROLE_MILTER,
	ROLE_SUBMIT,
	ROLE_COUNT
};

enum role_user { ROLE_STAYS, ROLE_OWNER, ROLE_LOGIN_USER };

/* At most so many entries of the root, and of each volume, are granted to one role. */
enum { ROLE_GRANTS = 12, ROLE_STATUS_MAX = 96 };

struct role {
	const char *name; /* as the service's, in dispatch/service.h */
	enum role_user user;
	uint64_t capabilities; /* that stay, if they were there */
	unsigned calls;        /* groups of lib/sandbox.h */
	bool confined;         /* no_new_privs, Landlock, and a filter of its own */
	bool connects;         /* makes TCP connections */
	struct role_grant {
		const char *entry; /* NULL at the end */
		unsigned may;
	} root[ROLE_GRANTS], volume[ROLE_GRANTS];
};

extern const struct role roles[ROLE_COUNT];

/* By its name; NULL where there is none. */
const struct role *role_find(struct str name);

/* Whom a process of this role belongs to, if it was started as root. */
struct role_identity {
	uid_t uid;
	gid_t gid;
	char name[64]; /* "" where the user has none */
};
int role_identity(const struct role *r, const struct settings *set,
		  struct role_identity *out, struct err *e) MUST_USE;

/* Gives up everything else, for good.  -1: it did not, and the process must not go on.
 * What the kernel cannot do is no reason for that, and is logged. */
int role_enter(enum role_id id, const struct settings *set, struct err *e) MUST_USE;

#endif
