/* SPDX-License-Identifier: ISC */
#include "store/domain_int.h"

#include "store/account.h"
#include "store/forwarding.h"

#include <stdio.h>
#include <string.h>

struct users {
	const struct name *domain;
	char who[NAME_OCTETS + 40];
	struct err damage; /* of a domain that may be an alias of it */
};

static bool use_account(const struct account *a, void *ctx)
{
	struct users *u = ctx;

	if (account_is_template(a))
		return true;
	snprintf(u->who, sizeof u->who, "account %s", a->name.s);
	return false;
}

static bool use_forwarding(const struct forwarding *f, void *ctx)
{
	struct users *u = ctx;

	snprintf(u->who, sizeof u->who, "forwarding %s", f->name.s);
	return false;
}

static bool use_alias(const struct domain *d, void *ctx)
{
	struct users *u = ctx;

	if (strcmp(d->alias_of.s, u->domain->s) != 0)
		return true;
	snprintf(u->who, sizeof u->who, "alias domain %s", d->name.s);
	return false;
}

static bool use_damaged(const struct name *name, const struct err *why, void *ctx)
{
	struct users *u = ctx;

	if (strcmp(name->s, u->domain->s) == 0)
		return true;
	u->damage = *why;
	return false;
}

int domain_check_unused(struct store *s, const struct name *name, struct err *e)
{
	struct users u = {.domain = name};
	char pattern[NAME_OCTETS + 3];

	snprintf(pattern, sizeof pattern, "*@%s", name->s);
	if (account_each(s, str_of(pattern), use_account, &u, e) < 0 ||
	    (u.who[0] == '\0' &&
	     forwarding_each(s, str_of(pattern), use_forwarding, &u, e) < 0) ||
	    (u.who[0] == '\0' && domain_walk(s, use_alias, use_damaged, &u, e) < 0))
		return -1;
	if (u.damage.class != ERR_NONE) {
		*e = u.damage;
		return err_add(e, "domain %s may be in use", name->s);
	}
	if (u.who[0] != '\0')
		return err_set(e, ERR_PERM, "5.1.3",
			       "domain %s is in use, by %s at least", name->s, u.who);
	return 0;
}
