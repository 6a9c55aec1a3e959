/* SPDX-License-Identifier: ISC */
#include "ctl/forwardings.h"

#include "ctl/ctl.h"

const struct column forwardings_columns[2] = {
	{"name", "NAME", CELL_TEXT},
	{"targets", "FORWARDED TO", CELL_LIST},
};

void forwardings_cell(struct table *t, const struct forwarding *f)
{
	struct buf list;

	buf_init(&list, (size_t)FORWARDING_TARGETS * 1024);
	for (size_t i = 0; i < f->n; i++) {
		address_print(&list, &f->targets[i]);
		buf_putc(&list, '\n');
	}
	table_text(t, buf_str(&list));
	buf_fini(&list);
}

void forwardings_row(struct table *t, const struct forwarding *f)
{
	table_text(t, str_of(f->name.s));
	forwardings_cell(t, f);
}

void forwardings_show(const struct ctl *c, const struct forwarding *f)
{
	struct table *t = table_new(forwardings_columns, countof(forwardings_columns));

	forwardings_row(t, f);
	table_print(t, TABLE_RECORD, ctl_has(c, OPT_JSON), stdout);
	table_free(&t);
}
