/* SPDX-License-Identifier: ISC */
/*
 * password_policy - which passwords a user may take
 *
 * For users who change their own; an operator may set any that secret_prepare() takes.
 *
 *   auth.password_min_length   characters; octets where it is no UTF-8
 *   auth.password_history      none of so many former ones
 *   auth.password_dictionary   none that is in this file
 *
 * Besides, never the one that is in force, nor the account's name.  LOCKPWD and
 * PWD_ELSEWHERE let a user change none.
 *
 * The dictionary is a plain file that is read from its begin to its end: a change is rare, and
 * a megabyte takes a few milliseconds.  (libpwquality would have the password copied into the
 * static memory of cracklib, where nothing wipes it and one thread at a time may be.)
 *
 * Threads: any.
 * Tests:   t/unit/auth/password_policy.c
 */
#ifndef PASSWORD_POLICY_H
#define PASSWORD_POLICY_H

#include "auth/secret.h"

/* May the owner of the account, whose secret is `now`, take this password?  ERR_PERM says why
 * not, in words for the user; ERR_TEMP where the dictionary cannot be read. */
int password_policy_check(struct store *s, const struct account *a,
			  const struct secret *now, struct str password, struct err *e);
/* May the owner change the password at all?  ERR_PERM likewise. */
int password_policy_may_change(const struct account *a, struct err *e);

#endif
