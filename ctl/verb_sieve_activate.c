/* SPDX-License-Identifier: ISC */
#include "ctl/accounts.h"
#include "store/script.h"

static int activate(struct ctl *c, struct str script, const char *done, struct err *e)
{
	struct account a;

	if (accounts_get(c, ctl_operand(c, 0), &a, e) < 0 ||
	    script_activate(c->store, &a, script, e) < 0)
		return -1;
	ctl_done(c, str_of(a.name.s), done);
	return 0;
}

int verb_sieve_activate(struct ctl *c, struct err *e)
{
	/* "" would be no name, and none active. */
	if (script_check_name(ctl_operand(c, 1), e) < 0)
		return -1;
	return activate(c, ctl_operand(c, 1), "activated", e);
}

int verb_sieve_deactivate(struct ctl *c, struct err *e)
{
	return activate(c, STR(""), "deactivated", e);
}
