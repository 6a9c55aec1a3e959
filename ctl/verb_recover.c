/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/table.h"
#include "store/standing.h"
#include "store/store.h"

#include <sysexits.h>

static const struct column columns[] = {
	/* clang-format off */
	{"writers",  "Writers that had not ended cleanly",    CELL_COUNT},
	{"messages", "Message files looked at",               CELL_COUNT},
	{"added",    "Maildrop lines made again",             CELL_COUNT},
	{"removed",  "Message files that nobody was promised", CELL_COUNT},
	{"damaged",  "Message files that are not whole",      CELL_COUNT},
	{"failed",   "What could not be brought home",        CELL_COUNT},
	{"resumed",  "Volumes that take mail again",          CELL_COUNT},
	/* clang-format on */
};

int verb_recover(struct ctl *c, struct err *e)
{
	struct store_recovery r = {0};
	size_t resumed = 0;

	/* Recovery comes first: after a failed sync it must not believe the cache. */
	if (store_recover(c->store, &r, e) < 0 ||
	    (ctl_has(c, OPT_RESUME) && store_resume(c->store, &resumed, e) < 0))
		return -1;

	struct table *t = table_new(columns, countof(columns));

	table_number(t, r.writers);
	table_number(t, r.messages);
	table_number(t, r.added);
	table_number(t, r.removed);
	table_number(t, r.damaged);
	table_number(t, r.failed);
	table_number(t, resumed);
	table_print(t, TABLE_RECORD, ctl_has(c, OPT_JSON), stdout);
	table_free(&t);
	/* What it says is no failure of the store, and not to be tried again later. */
	if (r.damaged > 0 || r.failed > 0)
		c->status = EX_DATAERR;
	if (r.damaged > 0)
		ctl_complain(c, &r.damage); /* the last one; `check` names the others */
	if (r.failed > 0)
		ctl_complain(c,
			     &r.why); /* the last one; the others are tried again too */
	return 0;
}
