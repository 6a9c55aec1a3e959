/* SPDX-License-Identifier: ISC */
/*
 * auth - who is this? The client interface that every service uses
 *
 * In-process for now; the same calls will be a dialogue with authd.  A service
 * hands over what the peer typed and gets a canonical account name or a refusal
 * that does not tell a wrong password from an unknown name, in words or in time
 * (a dummy hash is computed).
 *
 * Threads: any number, on one struct auth.
 * Tests:   t/unit/auth/auth.c
 */
#ifndef AUTH_H
#define AUTH_H

#include "store/account.h"

struct store;
struct auth;

/* `s` is borrowed and must outlive it. */
struct auth *auth_new(struct store *s);
void auth_free(struct auth **a);

enum auth_result {
	AUTH_OK,
	AUTH_REFUSED,  /* unknown, wrong, locked out or disabled: all the same outside */
	AUTH_TRY_AGAIN /* *e says what failed */
};

/* `user` as typed: name@domain (alias domains are followed), or a name alone where
 * auth.default_domain is set.  *out is filled for AUTH_OK; for AUTH_REFUSED
 * e->text says the true reason, for the log only. */
enum auth_result auth_password(struct auth *a, struct str user, struct str password,
			       struct account *out, struct err *e);

#endif
