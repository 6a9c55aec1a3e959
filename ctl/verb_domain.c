/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "auth/secret.h"
#include "ctl/table.h"
#include "store/domain.h"
#include "store/record.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* get - the domain that the operand names */
static int get(struct ctl *c, struct domain *out, struct err *e)
{
	bool found;

	if (domain_find(c->store, ctl_operand(c, 0), out, &found, e) < 0)
		return record_is_damage(e)
			       ? err_add(e, "'popstore domain add' writes it anew")
			       : -1;
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

static int apply_recoverable(const char *value, struct domain *d, struct err *e)
{
	d->recoverable = strcmp(value, "yes") == 0;
	if (!d->recoverable && strcmp(value, "no") != 0)
		return ctl_usage_error(e, "--recoverable is yes or no");
	if (d->recoverable && d->alias_of.s[0] != '\0')
		return ctl_usage_error(e, "an alias has no passwords; say it of %s",
				       d->alias_of.s);
	return 0;
}

static int apply(const struct ctl *c, struct domain *d, struct err *e)
{
	const char *alias = ctl_value(c, OPT_ALIAS);
	const char *delimiters = ctl_value(c, OPT_DELIMITERS);
	const char *recoverable = ctl_value(c, OPT_RECOVERABLE);

	if (alias != NULL && name_domain(str_of(alias), &d->alias_of, e) < 0)
		return err_add(e, "--alias");
	if (recoverable != NULL && apply_recoverable(recoverable, d, e) < 0)
		return -1;
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

/* ---- passwords that are recoverable no more ------------------------------------------ */

struct forgetting {
	struct ctl *c;
	uint64_t seen, forgotten;
};

static bool forget(const struct account *a, void *ctx)
{
	struct forgetting *f = ctx;
	struct err e;
	bool had;

	/* The next login does it. */
	if (secret_drop_sealed(f->c->store, a, &had, &e) < 0)
		ctl_complain(f->c, &e);
	f->forgotten += had;
	progress_to(&f->c->progress, ++f->seen);
	return true;
}

static bool pass_damaged(const struct name *n UNUSED, const struct err *why, void *ctx)
{
	struct forgetting *f = ctx;

	ctl_complain(f->c, why);
	return true;
}

/* forget_all - the domain says no already, so nobody seals another one behind us */
static int forget_all(struct ctl *c, const struct name *domain, uint64_t *forgotten,
		      struct err *e)
{
	struct forgetting f = {.c = c};
	char pattern[NAME_OCTETS + 3];
	int rc;

	snprintf(pattern, sizeof pattern, "*@%s", domain->s);
	progress_begin(&c->progress, STDERR_FILENO, "forgetting passwords", 0);
	rc = account_walk(c->store, str_of(pattern), forget, pass_damaged, &f, e);
	progress_end(&c->progress);
	*forgotten = f.forgotten;
	return rc;
}

static int modified(struct ctl *c, const struct domain *d, struct err *e)
{
	char done[120] = "modified";
	uint64_t forgotten;

	if (ctl_has(c, OPT_RECOVERABLE) && d->recoverable)
		snprintf(done, sizeof done,
			 "modified; who can read the store's secrets "
			 "can read its passwords from now on");
	else if (ctl_has(c, OPT_RECOVERABLE)) {
		if (forget_all(c, &d->name, &forgotten, e) < 0)
			return -1;
		snprintf(done, sizeof done, "modified; %llu passwords forgotten",
			 (unsigned long long)forgotten);
	}
	ctl_done(c, str_of(d->name.s), done);
	return 0;
}

int verb_domain_modify(struct ctl *c, struct err *e)
{
	struct domain d;

	if (!ctl_has(c, OPT_ALIAS) && !ctl_has(c, OPT_DELIMITERS) &&
	    !ctl_has(c, OPT_RECOVERABLE))
		return ctl_usage_error(e,
				       "nothing to change: see 'popstore help domain'");
	if (get(c, &d, e) < 0 || apply(c, &d, e) < 0 ||
	    domain_update(c->store, &d, e) < 0)
		return -1;
	return modified(c, &d, e);
}

int verb_domain_delete(struct ctl *c, struct err *e)
{
	struct name name;

	if (name_domain(ctl_operand(c, 0), &name, e) < 0 ||
	    domain_delete(c->store, &name, e) < 0)
		return -1;
	ctl_done(c, str_of(name.s), "deleted");
	return 0;
}

/* ---- domain list ------------------------------------------------------------------- */

static const struct column columns[] = {
	/* clang-format off */
	{"name",           "DOMAIN",     CELL_TEXT},
	{"alias_of",       "ALIAS OF",   CELL_TEXT},
	{"delimiters",     "DELIMITERS", CELL_TEXT},
	{"own_delimiters", NULL,         CELL_BOOL},
	{"recoverable",    "RECOVERABLE", CELL_BOOL},
	/* clang-format on */
};

struct listing {
	struct ctl *c;
	struct table *table;
};

static bool list_domain(const struct domain *d, void *ctx)
{
	struct listing *l = ctx;
	struct table *t = l->table;

	table_text(t, str_of(d->name.s));
	table_text(t, str_of(d->alias_of.s));
	table_text(t, str_of(d->delimiters));
	table_number(t, d->own_delimiters);
	table_number(t, d->recoverable);
	return true;
}

static bool list_damaged(const struct name *n UNUSED, const struct err *why, void *ctx)
{
	struct listing *l = ctx;

	ctl_complain(l->c, why);
	return true;
}

int verb_domain_list(struct ctl *c, struct err *e)
{
	struct listing l = {c, table_new(columns, countof(columns))};
	int rc = domain_walk(c->store, list_domain, list_damaged, &l, e);

	if (rc == 0)
		table_print(l.table, TABLE_ROWS, ctl_has(c, OPT_JSON), stdout);
	table_free(&l.table);
	return rc;
}
