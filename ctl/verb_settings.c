/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "lib/buf.h"

#include <stdio.h>

int verb_settings(struct ctl *c, struct err *e)
{
	struct buf b;

	if (!ctl_has(c, OPT_MDOC) && ctl_read_settings(c, e) < 0)
		return -1;
	buf_init(&b, 1 << 20);
	if (ctl_has(c, OPT_MDOC))
		settings_mdoc(&b);
	else
		settings_print(c->settings, ctl_has(c, OPT_CHANGED), &b);
	fwrite(buf_cstr(&b), 1, b.n, stdout);
	buf_fini(&b);
	return 0;
}
