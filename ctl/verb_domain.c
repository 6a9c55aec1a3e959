/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/table.h"
#include "store/domain.h"

#include <string.h>

/* get - the domain that the operand names */
static int get(struct ctl *c, struct domain *out, struct err *e)
{
	bool found;

	if (domain_find(c->store, ctl_operand(c, 0), out, &found, e) < 0)
		return -1;
	return found ? 0
		     : err_set(e, ERR_PERM, "5.1.2", "there is no domain " STR_FMT,
			       STR_ARG(ctl_operand(c, 0)));
}

static int apply_delimiters(const char *value, struct domain *d, struct err *e)
{
	d->own_delimiters = strcmp(value, "default") != 0;
	d->delimiters[0] = '\0';
	if (!d->own_delimiters || strcmp(value, "none") == 0)
		return 0;
	if (strlen(value) >= sizeof d->delimiters)
		return ctl_usage_error(e, "--delimiters: at most %zu characters",
				       sizeof d->delimiters - 1);
	memcpy(d->delimiters, value, strlen(value) + 1);
	return 0;
}

static int apply(const struct ctl *c, struct domain *d, struct err *e)
{
	const char *alias = ctl_value(c, OPT_ALIAS);
	const char *delimiters = ctl_value(c, OPT_DELIMITERS);

	if (alias != NULL && name_domain(str_of(alias), &d->alias_of, e) < 0)
		return err_add(e, "--alias");
	return delimiters ? apply_delimiters(delimiters, d, e) : 0;
}

int verb_domain_add(struct ctl *c, struct err *e)
{
	struct domain d = {0};

	if (name_domain(ctl_operand(c, 0), &d.name, e) < 0 || apply(c, &d, e) < 0 ||
	    domain_add(c->store, &d, e) < 0)
		return -1;
	ctl_done(c, str_of(d.name.s), "added");
	return 0;
}

int verb_domain_modify(struct ctl *c, struct err *e)
{
	struct domain d;

	if (!ctl_has(c, OPT_ALIAS) && !ctl_has(c, OPT_DELIMITERS))
		return ctl_usage_error(e,
				       "nothing to change: see 'popstore help domain'");
	if (get(c, &d, e) < 0 || apply(c, &d, e) < 0 ||
	    domain_update(c->store, &d, e) < 0)
		return -1;
	ctl_done(c, str_of(d.name.s), "modified");
	return 0;
}

int verb_domain_delete(struct ctl *c, struct err *e)
{
	struct domain d;

	if (get(c, &d, e) < 0 || domain_delete(c->store, &d.name, e) < 0)
		return -1;
	ctl_done(c, str_of(d.name.s), "deleted");
	return 0;
}

/* ---- domain list ------------------------------------------------------------------- */

static const struct column columns[] = {
	/* clang-format off */
	{"name",           "DOMAIN",     CELL_TEXT},
	{"alias_of",       "ALIAS OF",   CELL_TEXT},
	{"delimiters",     "DELIMITERS", CELL_TEXT},
	{"own_delimiters", NULL,         CELL_BOOL},
	/* clang-format on */
};

static bool list_domain(const struct domain *d, void *ctx)
{
	struct table *t = ctx;

	table_text(t, str_of(d->name.s));
	table_text(t, str_of(d->alias_of.s));
	table_text(t, str_of(d->delimiters));
	table_number(t, d->own_delimiters);
	return true;
}

int verb_domain_list(struct ctl *c, struct err *e)
{
	struct table *t = table_new(columns, countof(columns));
	int rc = domain_each(c->store, list_domain, t, e);

	if (rc == 0)
		table_print(t, TABLE_ROWS, ctl_has(c, OPT_JSON), stdout);
	table_free(&t);
	return rc;
}
