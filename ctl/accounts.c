/* SPDX-License-Identifier: ISC */
#include "ctl/accounts.h"

#include "ctl/print.h"
#include "store/domain.h"
#include "store/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- choosing ----------------------------------------------------------------------- */

int accounts_get(struct ctl *c, struct str name, struct account *out, struct err *e)
{
	struct name n;
	struct domain d;
	bool found;

	if (name_parse(c->settings, name, &n, e) < 0 ||
	    account_find(c->store, &n, out, &found, e) < 0)
		return -1;
	if (found)
		return 0;
	if (domain_get(c->store, &n, &d, e) < 0)
		return -1;
	return err_set(e, ERR_PERM, "5.1.1", "there is no account %s", n.s);
}

/* find_folder - under a name that is no account's; the name of *out is the folder's, if it can
 * have one */
static int find_folder(struct ctl *c, struct str typed, struct account *out, bool *found,
		       struct err *e)
{
	const char *at = typed.n > 0 ? memrchr(typed.p, '@', typed.n) : NULL;
	struct str local, detail;
	struct name whose;
	struct domain d;
	struct err none;

	*found = false;
	*out = (struct account){0};
	if (at == NULL)
		return 0;
	local = (struct str){typed.p, (size_t)(at - typed.p)};
	if (domain_find(c->store, (struct str){at + 1, typed.n - local.n - 1}, &d, found,
			e) < 0)
		return -1;
	*found = *found && domain_cut_detail(&d, &local, &detail) &&
		 name_of(c->settings, local, str_of(d.name.s), &whose, &none) == 0 &&
		 name_of_folder(&whose, detail, &out->name);
	whose = out->name;
	return *found ? account_find(c->store, &whose, out, found, e) : 0;
}

int accounts_get_maildrop(struct ctl *c, struct str name, struct account *out,
			  struct err *e)
{
	struct err why;
	bool found;

	if (accounts_get(c, name, out, e) == 0)
		return 0;
	if (e->class == ERR_TEMP)
		return -1;
	if (find_folder(c, name, out, &found, &why) == 0)
		return found ? 0 : -1;
	*e = why;
	return -1;
}

bool accounts_is_pattern(struct str operand)
{
	return operand.n > 0 && (memchr(operand.p, '*', operand.n) != NULL ||
				 memchr(operand.p, '?', operand.n) != NULL);
}

bool accounts_meant(struct str pattern, const struct account *a)
{
	return !account_is_template(a) || str_istarts(pattern, STR("default@"));
}

struct chosen {
	struct ctl *c;
	struct str pattern; /* being walked */
	struct name *names;
	size_t n, cap;
	bool by_pattern;
};

static void choose(struct chosen *ch, const struct name *name)
{
	if (ch->n == ch->cap) {
		size_t cap = ch->cap ? ch->cap * 2 : 16;

		ch->names = xgrow(ch->names, ch->cap * sizeof *name, cap * sizeof *name);
		ch->cap = cap;
	}
	ch->names[ch->n++] = *name;
}

static bool choose_account(const struct account *a, void *ctx)
{
	struct chosen *ch = ctx;

	if (accounts_meant(ch->pattern, a))
		choose(ch, &a->name);
	return true;
}

static bool pass_damaged(const struct name *n, const struct err *why, void *ctx)
{
	struct chosen *ch = ctx;

	(void)n;
	ctl_complain(ch->c, why);
	return true;
}

static int choose_pattern(struct chosen *ch, struct str pattern, struct err *e)
{
	size_t before = ch->n;

	ch->by_pattern = true;
	ch->pattern = pattern;
	if (account_walk(ch->c->store, pattern, choose_account, pass_damaged, ch, e) < 0)
		return -1;
	if (ch->n == before) {
		err_set(e, ERR_PERM, "5.1.1", "no account is like '" STR_FMT "'",
			STR_ARG(pattern));
		ctl_complain(ch->c, e);
	}
	return 0;
}

/* choose_damaged - false where that is not for us; `tried` may be the name of a folder */
static bool choose_damaged(struct chosen *ch, struct str operand,
			   const struct name *tried, const struct accounts_change *how,
			   struct err *why)
{
	struct name n = *tried;
	struct err e;

	if (how->damaged == NULL || !record_is_damage(why) ||
	    (!name_is_folder(tried) && name_parse(ch->c->settings, operand, &n, &e) < 0))
		return false;
	if (!ctl_has(ch->c, OPT_YES)) {
		err_add(why,
			"'popstore check --repair' mends it, --yes with its name %ss it "
			"as it is",
			how->verb);
		return false;
	}
	choose(ch, &n);
	return true;
}

static int choose_operand(struct chosen *ch, struct str operand,
			  const struct accounts_change *how, struct err *e)
{
	struct account a = {0};

	if (accounts_is_pattern(operand))
		return choose_pattern(ch, operand, e);
	if ((how->folders ? accounts_get_maildrop : accounts_get)(ch->c, operand, &a,
								  e) == 0)
		choose(ch, &a.name);
	else if (!choose_damaged(ch, operand, &a.name, how, e))
		ctl_complain(ch->c, e);
	return 0;
}

/* ---- switches ----------------------------------------------------------------------- */

static int apply_size(const char *value, const char *none, uint64_t *out,
		      const char *name, struct err *e)
{
	if (value == NULL)
		return 0;
	if (none != NULL && strcmp(value, none) == 0)
		*out = QUOTA_NONE;
	/* QUOTA_NONE itself, typed as a number, would silently mean no limit */
	else if (!str_size(str_of(value), out) || *out == QUOTA_NONE)
		return ctl_usage_error(e, "%s is octets with K, M, G or T%s, not '%s'",
				       name, none ? ", or none" : "", value);
	return 0;
}

static int apply_flags(const char *value, struct account *a, struct err *e)
{
	struct str rest = str_of(value);

	while (rest.n > 0) {
		struct str word = str_cut(&rest, ',');
		unsigned flag;
		bool on;

		if (!account_flag_parse(word, &flag, &on))
			return ctl_usage_error(
				e,
				"there is no flag '" STR_FMT
				"': dismail, disuser, lockpwd, pwd_elsewhere, or with 'no' "
				"before it",
				STR_ARG(word));
		a->flags = on ? a->flags | flag : a->flags & ~flag;
	}
	return 0;
}

/* apply_text - a line of text: what a record, a terminal and JSON can all carry */
static int apply_text(const char *value, char *out, size_t size, const char *name,
		      struct err *e)
{
	if (value == NULL)
		return 0;

	struct str s = str_of(value);

	if (s.n >= size)
		return ctl_usage_error(e, "%s is at most %zu octets", name, size - 1);
	if (str_has_control(s) || !str_is_utf8(s))
		return ctl_usage_error(e, "%s is one line of UTF-8 text", name);
	memcpy(out, value, s.n + 1);
	return 0;
}

int accounts_apply(const struct ctl *c, struct account *a, struct err *e)
{
	if (apply_size(ctl_value(c, OPT_QUOTA), "none", &a->quota, "--quota", e) < 0 ||
	    apply_size(ctl_value(c, OPT_OVERDRAFT), NULL, &a->overdraft, "--overdraft",
		       e) < 0 ||
	    apply_flags(ctl_value(c, OPT_FLAGS), a, e) < 0 ||
	    apply_text(ctl_value(c, OPT_OWNER), a->owner, sizeof a->owner, "--owner", e) <
		    0)
		return -1;
	return apply_text(ctl_value(c, OPT_GROUP), a->group, sizeof a->group, "--group",
			  e);
}

int accounts_new(struct ctl *c, struct str name, struct account *out, struct err *e)
{
	struct name n;

	if (name_parse(c->settings, name, &n, e) < 0 ||
	    account_template(c->store, &n, out, e) < 0)
		return -1;
	return accounts_apply(c, out, e);
}

int accounts_create(struct ctl *c, struct account *a, const struct secret_prepared *p,
		    bool batch, struct err *e)
{
	struct err ignored;

	if (p->hash[0] != '\0' && (a->flags & ACCOUNT_PWD_ELSEWHERE))
		return err_set(e, ERR_PERM, "5.7.0",
			       "the password of %s is kept elsewhere (PWD_ELSEWHERE)",
			       a->name.s);
	if (account_create(c->store, a, batch, e) < 0)
		return -1;
	if (p->hash[0] == '\0' || secret_put(c->store, a, p, batch, e) == 0)
		return 0;
	account_delete(c->store, &a->name, &ignored);
	return -1;
}

void accounts_flags_cell(struct table *t, const struct account *a)
{
	struct buf list;

	buf_init(&list, 256);
	for (unsigned flag = 1; flag != 0 && flag <= a->flags; flag <<= 1)
		if (a->flags & flag)
			buf_printf(&list, "%s\n", account_flag_name(flag));
	table_text(t, buf_str(&list));
	buf_fini(&list);
}

/* ---- changing ----------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return strcmp(x->s, y->s);
}

/* settle - in order, and each once, however many operands chose it */
static void settle(struct chosen *ch)
{
	size_t kept = 0;

	if (ch->n > 0)
		qsort(ch->names, ch->n, sizeof *ch->names, compare_names);
	for (size_t i = 0; i < ch->n; i++)
		if (i == 0 || strcmp(ch->names[i].s, ch->names[kept - 1].s) != 0)
			ch->names[kept++] = ch->names[i];
	ch->n = kept;
}

static int confirm(const struct chosen *ch, const struct accounts_change *how,
		   struct err *e)
{
	char question[100];

	if (!ch->by_pattern || ch->n == 0)
		return 0;
	snprintf(question, sizeof question, "%s %zu account%s?", how->verb, ch->n,
		 ch->n == 1 ? "" : "s");
	return ctl_confirm(ch->c, question, e);
}

static int change_one(struct ctl *c, const struct accounts_change *how,
		      const struct name *name, struct err *e)
{
	struct account a;
	bool found;

	if (account_find(c->store, name, &a, &found, e) < 0) {
		if (how->damaged == NULL || !ctl_has(c, OPT_YES) || !record_is_damage(e))
			return -1;
		a = (struct account){.name = *name};
		return how->damaged(c, &a, e);
	}
	if (!found) /* gone since it was chosen */
		return err_set(e, ERR_PERM, "5.1.1", "there is no account %s", name->s);
	return how->one(c, &a, e);
}

static void change_all(const struct chosen *ch, const struct accounts_change *how)
{
	struct ctl *c = ch->c;
	json_t *names = json_array();
	bool json = ctl_has(c, OPT_JSON);
	struct err e;

	progress_begin(&c->progress, STDERR_FILENO, how->verb, ch->n);
	for (size_t i = 0; i < ch->n; i++) {
		struct str name = str_of(ch->names[i].s);

		if (change_one(c, how, &ch->names[i], &e) < 0)
			ctl_complain(c, &e);
		else if (json)
			json_array_append_new(names, print_json_done(name, how->done));
		else
			ctl_done(c, name, how->done);
		progress_to(&c->progress, i + 1);
	}
	progress_end(&c->progress);
	if (json)
		print_json(names, stdout);
	else
		json_decref(names);
}

int accounts_change(struct ctl *c, const struct accounts_change *how, struct err *e)
{
	struct chosen ch = {.c = c};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->options.n; i++)
		rc = choose_operand(&ch, ctl_operand(c, i), how, e);
	settle(&ch);
	if (rc == 0)
		rc = confirm(&ch, how, e);
	if (rc == 0)
		change_all(&ch, how);
	xfree(&ch.names);
	return rc;
}
