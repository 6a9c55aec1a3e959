/* SPDX-License-Identifier: ISC */
#include "ctl/checking.h"

int verb_check(struct ctl *c, struct err *e)
{
	struct checking ch;
	struct check_options o;

	if (ctl_has(c, OPT_RELEASE_UNOWNED) && !ctl_has(c, OPT_REPAIR))
		return ctl_usage_error(e, "--release-unowned needs --repair");
	checking_begin(&ch, c, "checking");
	o = checking_options(&ch);
	o.repair = ctl_has(c, OPT_REPAIR);
	o.release_unowned = ctl_has(c, OPT_RELEASE_UNOWNED);
	o.quick = ctl_has(c, OPT_QUICK);
	return checking_end(&ch, check_run(c->store, &o, &ch.result, e));
}
