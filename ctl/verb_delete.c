/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "auth/secret.h"
#include "ctl/accounts.h"

static int check_template(const struct account *a, struct err *e)
{
	if (!account_is_template(a))
		return 0;
	return err_set(e, ERR_PERM, "5.7.0",
		       "%s is the template of its domain: 'popstore domain delete' "
		       "removes both",
		       a->name.s);
}

static int delete_account(struct ctl *c, struct account *a, struct err *e)
{
	if (check_template(a, e) < 0)
		return -1;
	/* In this order: an account that cannot be removed now keeps its password, and
	 * a secret left behind by a crash names an incarnation that is gone. */
	if (account_delete(c->store, &a->name, e) < 0)
		return -1;
	if (name_is_folder(&a->name))
		return 0;
	return secret_delete(c->store, &a->name, e);
}

static int delete_damaged(struct ctl *c, struct account *a, struct err *e)
{
	if (check_template(a, e) < 0 || account_delete_damaged(c->store, &a->name, e) < 0)
		return -1;
	return secret_delete(c->store, &a->name, e);
}

int verb_delete(struct ctl *c, struct err *e)
{
	static const struct accounts_change how = {.verb = "delete",
						   .done = "deleted",
						   .one = delete_account,
						   .damaged = delete_damaged,
						   .folders = true};

	return accounts_change(c, &how, e);
}
