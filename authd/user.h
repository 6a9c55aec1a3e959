/* SPDX-License-Identifier: ISC */
/*
 * user - from a name as typed to the account that it means
 *
 * name@domain, where alias domains are followed, or a name alone where auth.default_domain is
 * set.  Forwardings are no users, and subaddresses only where folders are asked for
 * (store/folder.h): "user+folder" is the user, and what he wants to see.
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
/* The same two; what is no account and has one of the domain's delimiters is taken for a user
 * and his folder, as typed, which is borrowed from `typed`; else *folder is empty.  Whether
 * there is that folder is not asked: that is nobody's business before the proof. */
enum user_result user_find_folder(struct store *s, struct str typed, struct account *out,
				  struct str *folder, struct err *e);
enum user_result user_name_folder(struct store *s, struct str typed, struct name *out,
				  struct str *folder, struct err *e);
/* The canonical name that `typed` stands for, whether it is an account or not. */
enum user_result user_name(struct store *s, struct str typed, struct name *out,
			   struct err *e);

/* Whether its owner, who has proved to be that, may come in: else *e says why not. */
bool user_may_login(const struct account *a, struct err *e);

#endif
