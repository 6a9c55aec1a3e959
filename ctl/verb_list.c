/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/accounts.h"
#include "ctl/forwardings.h"

static const struct column columns[] = {
	/* clang-format off */
	{"name",      "NAME",      CELL_TEXT},
	{"messages",  "MESSAGES",  CELL_COUNT},
	{"octets",    "USED",      CELL_SIZE},
	{"quota",     "QUOTA",     CELL_QUOTA},
	{"overdraft", NULL,        CELL_SIZE},
	{"flags",     "FLAGS",     CELL_LIST},
	{"group",     NULL,        CELL_TEXT},
	{"owner",     "OWNER",     CELL_TEXT},
	{"created",   NULL,        CELL_TIME},
	/* clang-format on */
};

struct listing {
	struct ctl *c;
	struct str pattern;
	struct table *table;
};

static bool list_account(const struct account *a, void *ctx)
{
	struct listing *l = ctx;
	struct account_usage use;
	struct err e;

	if (!accounts_meant(l->pattern, a))
		return true;
	if (account_usage(l->c->store, a, &use, &e) < 0) {
		ctl_complain(l->c, &e);
		return true;
	}
	table_text(l->table, str_of(a->name.s));
	table_number(l->table, use.messages);
	table_number(l->table, use.octets);
	table_number(l->table, a->quota);
	table_number(l->table, a->overdraft);
	accounts_flags_cell(l->table, a);
	table_text(l->table, str_of(a->group));
	table_text(l->table, str_of(a->owner));
	table_number(l->table, a->created_ms);
	return true;
}

static bool list_damaged(const struct name *n, const struct err *why, void *ctx)
{
	struct listing *l = ctx;

	(void)n;
	ctl_complain(l->c, why);
	return true;
}

static bool list_forwarding(const struct forwarding *f, void *ctx)
{
	struct listing *l = ctx;

	forwardings_row(l->table, f);
	return true;
}

static int list_pattern(struct listing *l, struct err *e)
{
	if (ctl_has(l->c, OPT_FORWARDINGS))
		return forwarding_walk(l->c->store, l->pattern, list_forwarding,
				       list_damaged, l, e);
	return account_walk(l->c->store, l->pattern, list_account, list_damaged, l, e);
}

int verb_list(struct ctl *c, struct err *e)
{
	struct listing l = {.c = c, .pattern = STR("*")};
	int rc = 0;

	if (c->options.n > 0)
		l.pattern = ctl_operand(c, 0);
	if (ctl_has(c, OPT_FORWARDINGS))
		l.table = table_new(forwardings_columns, countof(forwardings_columns));
	else
		l.table = table_new(columns, countof(columns));
	rc = list_pattern(&l, e);
	if (rc == 0)
		table_print(l.table, TABLE_ROWS, ctl_has(c, OPT_JSON), stdout);
	table_free(&l.table);
	return rc;
}
