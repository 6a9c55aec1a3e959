/* SPDX-License-Identifier: ISC */
#include "ctl/accounts.h"
#include "store/script.h"

int verb_sieve_rename(struct ctl *c, struct err *e)
{
	struct account a;

	if (accounts_get(c, ctl_operand(c, 0), &a, e) < 0 ||
	    script_rename(c->store, &a, ctl_operand(c, 1), ctl_operand(c, 2), e) < 0)
		return -1;
	ctl_done(c, str_of(a.name.s), "renamed");
	return 0;
}
