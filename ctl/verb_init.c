/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "store/store.h"

int verb_init(struct ctl *c, struct err *e)
{
	if (store_init(c->settings, e) < 0)
		return -1;
	ctl_done(c, str_of(c->settings->store.root), "an empty store");
	return 0;
}
