/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/accounts.h"

static int modify(struct ctl *c, struct account *a, struct err *e)
{
	if (accounts_apply(c, a, e) < 0 || account_update(c->store, a, e) < 0)
		return -1;
	/* From now on it is not in force, so it can go. */
	return a->flags & ACCOUNT_PWD_ELSEWHERE ? secret_delete(c->store, &a->name, e)
						: 0;
}

int verb_modify(struct ctl *c, struct err *e)
{
	static const enum option changes[] = {OPT_QUOTA, OPT_OVERDRAFT, OPT_FLAGS,
					      OPT_OWNER, OPT_GROUP};
	struct account probe = {0};
	bool any = false;

	for (size_t i = 0; i < countof(changes); i++)
		any |= ctl_has(c, changes[i]);
	if (!any)
		return ctl_usage_error(e,
				       "nothing to change: see 'popstore help modify'");
	if (accounts_apply(c, &probe, e) <
	    0) /* a bad value, before anything is touched */
		return -1;
	return accounts_change(c,
			       &(struct accounts_change){.verb = "modify",
							 .done = "modified",
							 .one = modify},
			       e);
}
