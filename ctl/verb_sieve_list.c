/* SPDX-License-Identifier: ISC */
#include "ctl/accounts.h"
#include "ctl/table.h"
#include "store/script.h"

static const struct column columns[] = {
	/* clang-format off */
	{"script", "SCRIPT", CELL_TEXT},
	{"active", "ACTIVE", CELL_BOOL},
	{"octets", "SIZE",   CELL_SIZE},
	{"set",    "SET",    CELL_TIME},
	/* clang-format on */
};

struct listing {
	struct ctl *c;
	struct table *t;
};

static void row(const struct script *x, void *ctx)
{
	struct listing *l = ctx;

	table_text(l->t, str_of(x->name));
	table_number(l->t, x->active);
	table_number(l->t, x->octets);
	table_number(l->t, x->set_ms);
}

static void damaged(const struct err *why, void *ctx)
{
	struct listing *l = ctx;

	ctl_complain(l->c, why);
}

int verb_sieve_list(struct ctl *c, struct err *e)
{
	struct listing l = {.c = c};
	struct account a;

	if (accounts_get(c, ctl_operand(c, 0), &a, e) < 0)
		return -1;
	l.t = table_new(columns, countof(columns));

	int rc = script_each(c->store, &a, row, damaged, &l, e);

	if (rc == 0)
		table_print(l.t, TABLE_ROWS, ctl_has(c, OPT_JSON), stdout);
	table_free(&l.t);
	return rc;
}
