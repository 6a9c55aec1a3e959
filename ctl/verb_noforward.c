/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "store/forwarding.h"

int verb_noforward(struct ctl *c, struct err *e)
{
	struct name name;
	bool existed;

	if (name_parse(c->settings, ctl_operand(c, 0), &name, e) < 0 ||
	    forwarding_delete(c->store, &name, &existed, e) < 0)
		return -1;
	if (!existed)
		return err_set(e, ERR_PERM, "5.1.1", "there is no forwarding %s", name.s);
	ctl_done(c, str_of(name.s), "no longer forwarded");
	return 0;
}
