/* SPDX-License-Identifier: ISC */
#include "store/domain.h"

#include "store/account_int.h"
#include "store/domain_int.h"
#include "store/record.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <stdio.h>
#include <string.h>

static const char kind[] = "popstore-domain";

static bool is_alias(const struct domain *d)
{
	return d->alias_of.s[0] != '\0';
}

/* ---- finding --------------------------------------------------------------------- */

/* parse - what the record says; without delimiters of its own, *out has none */
static bool parse(struct str text, const struct name *name, struct domain *out)
{
	struct buf own, alias, delimiters, recoverable;
	struct err wrong;

	*out = (struct domain){.name = *name};
	buf_init(&own, NAME_OCTETS);
	buf_init(&alias, NAME_OCTETS);
	buf_init(&delimiters, sizeof out->delimiters - 1);
	buf_init(&recoverable, sizeof "yes");
	record_get(text, "name", &own);

	bool ok = str_eq(buf_str(&own), str_of(name->s)) &&
		  (!record_get(text, "alias-of", &alias) ||
		   name_domain(buf_str(&alias), &out->alias_of, &wrong) == 0);

	out->own_delimiters = record_get(text, "delimiters", &delimiters);
	ok = ok && !buf_over(&delimiters);
	record_get(text, "recoverable", &recoverable);
	out->recoverable = str_eq(buf_str(&recoverable), STR("yes"));
	snprintf(out->delimiters, sizeof out->delimiters, "%s", buf_cstr(&delimiters));
	buf_fini(&own);
	buf_fini(&alias);
	buf_fini(&delimiters);
	buf_fini(&recoverable);
	return ok;
}

static int read_record(struct str text, const struct name *name, const char *what,
		       struct domain *out, struct err *e)
{
	if (record_check(text, kind, what, e) < 0)
		return -1;
	return parse(text, name, out)
		       ? 0
		       : err_set(e, ERR_TEMP, "4.3.0",
				 "record of domain %s is not well formed", name->s);
}

int domain_check_record(struct str text, const struct name *name, const char *what,
			struct err *e)
{
	struct domain ignored;

	return read_record(text, name, what, &ignored, e);
}

int domain_read_known(struct str text, const struct name *name, const char *path,
		      void *out, struct err *e)
{
	return read_record(text, name, path, out, e);
}

static int find(struct store *s, const struct name *name, struct domain *out, bool *found,
		struct err *e)
{
	struct place place;
	int rc;

	name_place("domains", name, NULL, &place);
	rc = known_find(s->known, store_root(s), name, place.path, out, found, e);
	if (rc == 0 && !*found)
		rc = store_has_tree(s, "domains", e);
	if (rc == 0 && *found && !out->own_delimiters)
		snprintf(out->delimiters, sizeof out->delimiters, "%s",
			 store_settings(s)->store.delimiters);
	return rc;
}

int domain_find(struct store *s, struct str name, struct domain *out, bool *found,
		struct err *e)
{
	struct name canonical;
	struct err not_a_domain;

	*found = false;
	/* What cannot be a domain is not one of ours; that is no error. */
	if (name_domain(name, &canonical, &not_a_domain) < 0)
		return 0;
	return find(s, &canonical, out, found, e);
}

int domain_resolve(struct store *s, struct str name, struct domain *out, bool *found,
		   struct err *e)
{
	struct name target;

	if (domain_find(s, name, out, found, e) < 0)
		return -1;
	if (!*found || !is_alias(out))
		return 0;
	target = out->alias_of;
	if (find(s, &target, out, found, e) < 0)
		return -1;
	if (!*found || is_alias(out))
		return err_set(e, ERR_TEMP, "4.3.5",
			       "domain " STR_FMT " is an alias of %s, which is %s",
			       STR_ARG(name), target.s,
			       *found ? "an alias too" : "not there");
	return 0;
}

bool domain_cut_detail(const struct domain *d, struct str *local, struct str *detail)
{
	for (size_t i = 1; i < local->n; i++)
		if (local->p[i] != '\0' && strchr(d->delimiters, local->p[i]) != NULL) {
			*detail = (struct str){local->p + i + 1, local->n - i - 1};
			local->n = i;
			return true;
		}
	return false;
}

int domain_get(struct store *s, const struct name *name, struct domain *out,
	       struct err *e)
{
	struct str domain = name_domain_of(name);
	bool found;

	if (domain_find(s, domain, out, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_PERM, "5.1.2",
			       "there is no domain " STR_FMT
			       ": 'popstore domain add' makes one",
			       STR_ARG(domain));
	if (is_alias(out))
		return err_set(e, ERR_PERM, "5.1.3",
			       STR_FMT " is another name of %s: say " STR_FMT "@%s",
			       STR_ARG(domain), out->alias_of.s,
			       STR_ARG(name_local(name)), out->alias_of.s);
	return 0;
}

/* ---- changing ----------------------------------------------------------------------- */

static int check_alias(struct store *s, const struct domain *d, struct err *e)
{
	struct domain target;
	bool found;

	if (!is_alias(d))
		return 0;
	if (find(s, &d->alias_of, &target, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_PERM, "5.1.2", "there is no domain %s",
			       d->alias_of.s);
	if (is_alias(&target))
		return err_set(e, ERR_PERM, "5.1.3", "%s is itself an alias, of %s",
			       target.name.s, target.alias_of.s);
	return 0;
}

/* check_delimiters - as the configuration's are held to */
static int check_delimiters(const struct domain *d, struct err *e)
{
	for (const char *c = d->delimiters; *c != '\0'; c++)
		if (!ascii_is_print(*c) || strchr(" @/.\"\\<>", *c) != NULL)
			return err_set(e, ERR_PERM, "5.1.3",
				       "octet 0x%02x cannot be a delimiter",
				       (unsigned char)*c);
	return 0;
}

static int put(struct store *s, const struct domain *d, struct err *e)
{
	struct record_writer w;
	struct place place;

	name_place("domains", &d->name, NULL, &place);
	record_begin(&w, kind);
	record_put(&w, "name", str_of(d->name.s));
	if (is_alias(d))
		record_put(&w, "alias-of", str_of(d->alias_of.s));
	if (d->own_delimiters)
		record_put(&w, "delimiters", str_of(d->delimiters));
	if (d->recoverable)
		record_put(&w, "recoverable", STR("yes"));

	int rc = storage_put(store_root(s), place.path, record_finish(&w),
			     STORAGE_DURABLE, NULL, e);

	record_fini(&w);
	return rc;
}

/* has_profile - of its `default`, damaged or not */
static int has_profile(struct store *s, const struct name *template, bool *found,
		       struct err *e)
{
	struct place place;

	name_place("accounts", template, "profile", &place);
	return storage_exists(store_root(s), place.path, found, e);
}

/* replace - the operator's word counts for a record that is damaged.  Whether it was an alias
 * nobody knows, so what the domain may hold must not be left in an alias. */
static int replace(struct store *s, const struct domain *d, bool has_template,
		   struct err *e)
{
	if (!is_alias(d))
		return 0;
	if (domain_check_unused(s, &d->name, e) < 0)
		return -1;
	return has_template ? err_set(e, ERR_PERM, "5.1.3",
				      "%s was no alias: it has an account `default`; "
				      "delete it before",
				      d->name.s)
			    : 0;
}

static int add(struct store *s, const struct domain *d, struct err *e)
{
	struct account template = {.quota = QUOTA_NONE};
	struct domain old;
	bool found, has_template;

	if (account_template_name(s, &d->name, &template.name, e) < 0 ||
	    has_profile(s, &template.name, &has_template, e) < 0)
		return -1;
	if (find(s, &d->name, &old, &found, e) < 0) {
		if (!record_is_damage(e) || replace(s, d, has_template, e) < 0)
			return -1;
	} else if (found && (is_alias(&old) || is_alias(d) || has_template)) {
		/* One that lacks its template is what a crash in here left. */
		return err_set(e, ERR_PERM, "5.1.3", "domain %s exists already",
			       d->name.s);
	}
	if (check_alias(s, d, e) < 0 || check_delimiters(d, e) < 0 || put(s, d, e) < 0)
		return -1;
	if (is_alias(d) || has_template)
		return 0;
	return account_create_locked(s, &template, false, e);
}

int domain_add(struct store *s, const struct domain *d, struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = add(s, d, e);

	storage_file_close(&lock);
	return rc;
}

static int update(struct store *s, const struct domain *d, struct err *e)
{
	struct domain old;
	bool found;

	if (find(s, &d->name, &old, &found, e) < 0 || check_alias(s, d, e) < 0 ||
	    check_delimiters(d, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_PERM, "5.1.2", "there is no domain %s", d->name.s);
	if (is_alias(&old) != is_alias(d))
		return err_set(e, ERR_PERM, "5.1.3",
			       "a domain cannot become an alias, nor an alias a domain: "
			       "delete and add it");
	return put(s, d, e);
}

int domain_update(struct store *s, const struct domain *d, struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = update(s, d, e);

	storage_file_close(&lock);
	return rc;
}

static int remove_template(struct store *s, const struct name *domain, struct err *e)
{
	struct account a;
	struct name name;
	bool found;

	if (account_template_name(s, domain, &name, e) < 0 ||
	    account_find(s, &name, &a, &found, e) < 0)
		return -1;
	return found ? account_delete_locked(s, &name, e) : 0;
}

static int delete (struct store *s, const struct name *name, struct err *e)
{
	struct domain d = {0};
	struct place place;
	bool found;

	/* A damaged one is deleted as if it were no alias. */
	if (find(s, name, &d, &found, e) < 0 && !record_is_damage(e))
		return -1;
	if (!found)
		return err_set(e, ERR_PERM, "5.1.2", "there is no domain %s", name->s);
	if (!is_alias(&d) &&
	    (domain_check_unused(s, name, e) < 0 || remove_template(s, name, e) < 0))
		return -1;
	name_place("domains", name, NULL, &place);
	return storage_remove(store_root(s), place.path, STORAGE_DURABLE, e);
}

int domain_delete(struct store *s, const struct name *name, struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = delete (s, name, e);

	storage_file_close(&lock);
	return rc;
}

/* ---- all of them ------------------------------------------------------------------------ */

struct walk {
	struct store *s;
	bool (*each)(const struct domain *d, void *ctx);
	bool (*bad)(const struct name *n, const struct err *why, void *ctx);
	void *ctx;
};

static int walk_one(const struct name *name, bool *more, void *ctx, struct err *e)
{
	struct walk *w = ctx;
	struct domain d;
	bool found;

	if (find(w->s, name, &d, &found, e) < 0) {
		if (w->bad == NULL)
			return -1;
		*more = w->bad(name, e, w->ctx);
	} else if (found) {
		*more = w->each(&d, w->ctx);
	}
	return 0;
}

int domain_walk(struct store *s, bool (*each)(const struct domain *d, void *ctx),
		bool (*bad)(const struct name *n, const struct err *why, void *ctx),
		void *ctx, struct err *e)
{
	struct walk w = {s, each, bad, ctx};

	return tree_each(store_root(s), "domains", STR("*"), walk_one, NULL, &w, e);
}

int domain_each(struct store *s, bool (*each)(const struct domain *d, void *ctx),
		void *ctx, struct err *e)
{
	return domain_walk(s, each, NULL, ctx, e);
}
