/* SPDX-License-Identifier: ISC */
/*
 * user - from a name as typed to the account that it means
 *
 * name@domain, where alias domains are followed, or a name alone where auth.default_domain is
 * set.  Subaddresses and forwardings are no users.
 *
 * Threads: any.
 * Tests:   t/unit/authd/user.c
 */
#ifndef USER_H
#define USER_H

#include "store/account.h"

enum user_result {
	USER_FOUND,
	USER_UNKNOWN, /* e->text says why, for the log */
	USER_FAILED   /* e->text says what could not be read */
};

/* `name` alone is filled, too, for what could be a name of an account; or else is empty. */
enum user_result user_find(struct store *s, struct str typed, struct account *out,
			   struct err *e);
/* The canonical name that `typed` stands for, whether it is an account or not. */
enum user_result user_name(struct store *s, struct str typed, struct name *out,
			   struct err *e);

/* Whether its owner, who has proved to be that, may come in: else *e says why not. */
bool user_may_login(const struct account *a, struct err *e);

#endif
