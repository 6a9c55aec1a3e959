/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "auth/secret.h"
#include "ctl/accounts.h"
#include "ctl/forwardings.h"
#include "ctl/table.h"
#include "lib/conn.h"
#include "store/folder.h"

static const struct column columns[] = {
	/* clang-format off */
	{"name",         "Name",         CELL_TEXT},
	{"owner",        "Owner",        CELL_TEXT},
	{"group",        "Group",        CELL_TEXT},
	{"flags",        "Flags",        CELL_LIST},
	{"messages",     "Messages",     CELL_COUNT},
	{"octets",       "Used",         CELL_SIZE},
	{"quota",        "Quota",        CELL_QUOTA},
	{"overdraft",    "Overdraft",    CELL_SIZE},
	{"created",      "Created",      CELL_TIME},
	{"password_set", "Password set", CELL_TIME},
	{"password_expired", "Expired",  CELL_BOOL},
	{"mechanisms",   "Logs in by",   CELL_LIST},
	{"folders",      "Folders",      CELL_LIST},
	/* clang-format on */
};

/* mechanisms_cell - what the secret as it is serves; the rules may allow less */
static void mechanisms_cell(struct table *t, const struct secret *x)
{
	struct buf list;

	buf_init(&list, 256);
	if (x->found)
		buf_put(&list, STR("PLAIN\n"));
	for (size_t i = 0; i < SCRAM_HASHES; i++)
		if (x->scram[i][0] != '\0')
			buf_printf(&list, "%s\n", scram_mechanism((enum scram_hash)i));
	if (x->sealed[0] != '\0')
		buf_put(&list, STR("APOP\nCRAM-MD5\nDIGEST-MD5\n"));
	table_text(t, buf_str(&list));
	buf_fini(&list);
}

static int put_folder(const struct name *folder, void *ctx, struct err *e UNUSED)
{
	buf_printf(ctx, STR_FMT "\n", STR_ARG(name_folder(folder)));
	return 0;
}

static int folders_cell(struct ctl *c, struct table *t, const struct account *a,
			struct err *e)
{
	struct buf list;
	int rc = 0;

	buf_init(&list, 1 << 20);
	if (a->folders)
		rc = folder_each(c->store, &a->name, put_folder, &list, e);
	table_text(t, buf_str(&list));
	buf_fini(&list);
	return rc;
}

static int show_account(struct ctl *c, const struct account *a, struct err *e)
{
	struct account_usage use;
	struct secret secret = {0};
	struct err no_secret;

	if (account_usage(c->store, a, &use, e) < 0)
		return -1;
	/* It is one line of many. */
	if (secret_read(c->store, a, &secret, &no_secret) < 0)
		ctl_complain(c, &no_secret);

	struct table *t = table_new(columns, countof(columns));

	table_text(t, str_of(a->name.s));
	table_text(t, str_of(a->owner));
	table_text(t, str_of(a->group));
	accounts_flags_cell(t, a);
	table_number(t, use.messages);
	table_number(t, use.octets);
	table_number(t, a->quota);
	table_number(t, a->overdraft);
	table_number(t, a->created_ms);
	table_number(t, secret.set_ms);
	table_number(t, secret_is_expired(c->settings, secret.set_ms, clock_unix_ms()));
	mechanisms_cell(t, &secret);

	int rc = folders_cell(c, t, a, e);

	if (rc == 0)
		table_print(t, TABLE_RECORD, ctl_has(c, OPT_JSON), stdout);
	table_free(&t);
	secret_fini(&secret);
	return rc;
}

/* A name is an account or a forwarding, never both; what can be neither may be a folder. */
int verb_show(struct ctl *c, struct err *e)
{
	struct account a;
	struct name name;
	struct forwarding f = {0};
	struct err none;
	bool found = false;

	if (name_parse(c->settings, ctl_operand(c, 0), &name, &none) == 0 &&
	    forwarding_find(c->store, &name, &f, &found, e) < 0)
		return -1;
	if (found)
		forwardings_show(c, &f);
	forwarding_fini(&f);
	if (found)
		return 0;
	if (accounts_get_maildrop(c, ctl_operand(c, 0), &a, e) < 0)
		return -1;
	return show_account(c, &a, e);
}
