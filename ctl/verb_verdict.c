/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/forwardings.h"
#include "store/verdict.h"

#include <stdio.h>

static const struct column columns[] = {
	/* clang-format off */
	{"verdict", "Verdict", CELL_TEXT},
	{"accepts", "Accepts", CELL_BOOL},
	{"smtp",    "SMTP",    CELL_COUNT},
	{"dsn",     "Code",    CELL_TEXT},
	{"text",    "Text",    CELL_TEXT},
	{"name",    "Name",    CELL_TEXT},
	{"targets", "Targets", CELL_LIST},
	{"why",     "Why",     CELL_TEXT},
	/* clang-format on */
};

/* What the words mean to an operator, who can change it. */
static const char *why(const struct verdict *v)
{
	static const char *const reasons[] = {
		[VERDICT_OK] = "the account takes it",
		[VERDICT_FORWARD] = "the name is a forwarding, or an SRS address of this "
				    "store's",
		[VERDICT_NOT_OURS] = "the domain is not one of this store's",
		[VERDICT_BAD_ADDRESS] =
			"it is no address, or no name that an account could have",
		[VERDICT_NO_USER] = "there is no such account and no such forwarding",
		[VERDICT_NOT_RECEIVING] =
			"the account has the flag DISMAIL, or is a template",
		[VERDICT_OVER_QUOTA] = "the account's quota does not allow it now",
		[VERDICT_TOO_LARGE] =
			"it is larger than the account's quota and overdraft",
		[VERDICT_FORGED] = "it is an SRS address that no secret of this store "
				   "made, or it has expired",
	};

	return v->code == VERDICT_TRY_AGAIN ? v->why.text : reasons[v->code];
}

static void print(const struct ctl *c, const struct verdict *v)
{
	struct table *t = table_new(columns, countof(columns));

	table_text(t, str_of(v->word));
	table_number(t, verdict_accepts(v));
	table_number(t, v->smtp);
	table_text(t, str_of(v->dsn));
	table_text(t, str_of(v->text));
	table_text(t, str_of(v->name.s));
	forwardings_cell(t, &v->forwarding);
	table_text(t, str_of(why(v)));
	table_print(t, TABLE_RECORD, ctl_has(c, OPT_JSON), stdout);
	table_free(&t);
}

/* Having told it is success, whatever the verdict: only "cannot tell" is not. */
int verb_verdict(struct ctl *c, struct err *e)
{
	struct verdict v;
	uint64_t size = 0;
	const char *said = ctl_value(c, OPT_SIZE);

	if (said != NULL && !str_size(str_of(said), &size))
		return ctl_usage_error(e, "--size is octets with K, M, G or T, not '%s'",
				       said);
	verdict_of(c->store, ctl_operand(c, 0), size, &v);
	print(c, &v);
	if (v.code == VERDICT_TRY_AGAIN)
		c->status = err_exit_status(&v.why);
	verdict_fini(&v);
	return 0;
}
