/* SPDX-License-Identifier: ISC */
/*
 * scratch - the store's scratch store, and accounts with passwords
 *
 * Include it after cmocka.h.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "auth/secret.h"
#include "t/unit/store/scratch.h"

/* `auth` is what stands in that section of the configuration. */
static inline void scratch_begin(struct scratch *s, const char *auth)
{
	char rest[512];

	snprintf(rest, sizeof rest, "auth { yescrypt_cost = 1 %s }", auth);
	scratch_begin_with(s, "", rest);
}

static inline struct account scratch_add(struct scratch *s, const char *name,
					 const char *password, unsigned flags)
{
	struct name n = scratch_name(s, name);
	struct account a;

	scratch_ok(account_template(s->store, &n, &a, &e_));
	a.flags |= flags;
	scratch_ok(account_create(s->store, &a, true, &e_));
	if (password != NULL)
		scratch_ok(secret_set(s->store, &a, str_of(password), true, &e_));
	return a;
}

#endif
