/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/accounts.h"
#include "ctl/table.h"
#include "store/id.h"
#include "store/maildrop.h"

static const struct column columns[] = {
	/* clang-format off */
	{"number",  "NO",      CELL_COUNT},
	{"id",      "ID",      CELL_TEXT},
	{"octets",  "SIZE",    CELL_SIZE},
	{"arrived", "ARRIVED", CELL_TIME},
	{"read",    "READ",    CELL_BOOL},
	/* clang-format on */
};

int verb_messages(struct ctl *c, struct err *e)
{
	struct account a;
	struct maildrop *m;

	if (accounts_get_maildrop(c, ctl_operand(c, 0), &a, e) < 0 ||
	    maildrop_look(c->store, &a, &m, e) < 0)
		return -1;

	struct table *t = table_new(columns, countof(columns));

	for (size_t i = 0; i < maildrop_count(m); i++) {
		const struct maildrop_entry *en = maildrop_entry(m, i);
		struct id_text id = id_print(en->id);

		table_number(t, i + 1);
		table_text(t, str_of(id.c));
		table_number(t, en->size);
		table_number(t, id_unix_ms(en->id));
		table_number(t, en->read);
	}
	table_print(t, TABLE_ROWS, ctl_has(c, OPT_JSON), stdout);
	table_free(&t);
	maildrop_close(&m);
	return 0;
}
