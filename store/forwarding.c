/* SPDX-License-Identifier: ISC */
#include "store/forwarding.h"

#include "store/account.h"
#include "store/domain.h"
#include "store/record.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <string.h>

static const char kind[] = "popstore-forwarding";

/* Both parts of an address, each octet of the local part behind a backslash. */
enum { TARGET_MAX = 2 * ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX + sizeof "\"\"@" };

void forwarding_fini(struct forwarding *f)
{
	xfree(&f->targets);
	f->n = 0;
}

/* ---- reading ------------------------------------------------------------------------- */

/* next_value - of the next line with this key, decoded */
static bool next_value(struct str *rest, const char *key, struct buf *out)
{
	struct str k, value;

	buf_clear(out);
	while (record_next(rest, &k, &value))
		if (str_eq(k, str_of(key))) {
			record_decode(value, out);
			return true;
		}
	return false;
}

static bool parse(struct str text, struct forwarding *out)
{
	struct str rest = text;
	struct buf b;
	size_t n = 0;

	buf_init(&b, TARGET_MAX);

	bool ok =
		next_value(&rest, "name", &b) && str_eq(buf_str(&b), str_of(out->name.s));

	for (rest = text; next_value(&rest, "to", &b);)
		n++;
	ok = ok && n > 0 && n <= FORWARDING_TARGETS;
	out->targets = xalloc(ok ? n * sizeof *out->targets : 0);
	for (rest = text; ok && next_value(&rest, "to", &b);)
		ok = !buf_over(&b) &&
		     address_parse(buf_str(&b), true, &out->targets[out->n++]) ==
			     ADDRESS_OK;
	buf_fini(&b);
	return ok;
}

static int read_record(struct str text, const char *what, struct forwarding *out,
		       struct err *e)
{
	if (record_check(text, kind, what, e) < 0)
		return -1;
	return parse(text, out) ? 0
				: err_set(e, ERR_TEMP, "4.3.0",
					  "record of forwarding %s is not well formed",
					  out->name.s);
}

int forwarding_check_record(struct str text, const struct name *name, const char *what,
			    struct err *e)
{
	struct forwarding f = {.name = *name};
	int rc = read_record(text, what, &f, e);

	forwarding_fini(&f);
	return rc;
}

int forwarding_find(struct store *s, const struct name *name, struct forwarding *out,
		    bool *found, struct err *e)
{
	struct place place;
	struct buf text;
	int rc;

	*out = (struct forwarding){.name = *name};
	name_place("forwardings", name, NULL, &place);
	buf_init(&text, RECORD_MAX);
	rc = storage_read(store_root(s), place.path, &text, found, e);
	if (rc == 0)
		rc = *found ? read_record(buf_str(&text), place.path, out, e)
			    : store_has_tree(s, "forwardings", e);
	buf_fini(&text);
	if (rc < 0)
		forwarding_fini(out);
	return rc;
}

/* ---- writing ---------------------------------------------------------------------------- */

static int check_name(struct store *s, const struct name *name, struct err *e)
{
	struct account a = {.name = *name};
	struct domain d;
	bool found;

	if (domain_get(s, name, &d, e) < 0)
		return -1;
	if (account_is_template(&a))
		return err_set(e, ERR_PERM, "5.1.3",
			       "%s is the template of new accounts, not an address",
			       name->s);
	if (account_find(s, name, &a, &found, e) < 0)
		return -1;
	if (found)
		return err_set(e, ERR_PERM, "5.1.3",
			       "%s is an account; only names without one are forwarded",
			       name->s);
	return 0;
}

static int check_target(struct store *s, const struct name *name, const struct address *t,
			struct err *e)
{
	struct name target;
	struct err not_ours;
	struct domain d;
	bool found;

	if (t->local[0] == '\0' || t->domain[0] == '\0')
		return err_set(e, ERR_PERM, "5.1.3", "a target is written name@domain");
	if (domain_resolve(s, str_of(t->domain), &d, &found, e) < 0)
		return -1;
	if (found &&
	    name_of(store_settings(s), str_of(t->local), str_of(d.name.s), &target,
		    &not_ours) == 0 &&
	    strcmp(target.s, name->s) == 0)
		return err_set(e, ERR_PERM, "5.4.6", "%s cannot be forwarded to itself",
			       name->s);
	return 0;
}

static int check(struct store *s, const struct forwarding *f, struct err *e)
{
	if (f->n == 0 || f->n > FORWARDING_TARGETS)
		return err_set(e, ERR_PERM, "5.1.3", "a forwarding has 1 to %d targets",
			       FORWARDING_TARGETS);
	if (check_name(s, &f->name, e) < 0)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (check_target(s, &f->name, &f->targets[i], e) < 0)
			return -1;
	return 0;
}

static void print(const struct forwarding *f, struct record_writer *w)
{
	struct buf b;

	record_begin(w, kind);
	record_put(w, "name", str_of(f->name.s));
	buf_init(&b, TARGET_MAX);
	for (size_t i = 0; i < f->n; i++) {
		buf_clear(&b);
		address_print(&b, &f->targets[i]);
		record_put(w, "to", buf_str(&b));
	}
	buf_fini(&b);
}

static int put(struct store *s, const struct forwarding *f, struct err *e)
{
	struct record_writer w;
	struct place place;
	int rc;

	name_place("forwardings", &f->name, NULL, &place);
	print(f, &w);
	if (record_fits(&w))
		rc = storage_put(store_root(s), place.path, record_finish(&w),
				 STORAGE_DURABLE, NULL, e);
	else
		rc = err_set(e, ERR_PERM, "5.1.3",
			     "the targets of %s are longer than %d octets in all",
			     f->name.s, RECORD_MAX);
	record_fini(&w);
	return rc;
}

int forwarding_put(struct store *s, const struct forwarding *f, struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = check(s, f, e);

	if (rc == 0)
		rc = put(s, f, e);
	storage_file_close(&lock);
	return rc;
}

static int delete (struct store *s, const struct name *name, bool *existed, struct err *e)
{
	struct place place;

	name_place("forwardings", name, NULL, &place);
	if (storage_exists(store_root(s), place.path, existed, e) < 0)
		return -1;
	return *existed ? storage_remove(store_root(s), place.path, STORAGE_DURABLE, e)
			: 0;
}

int forwarding_delete(struct store *s, const struct name *name, bool *existed,
		      struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = delete (s, name, existed, e);

	storage_file_close(&lock);
	return rc;
}

/* ---- all of them ---------------------------------------------------------------------------- */

struct walk {
	struct store *s;
	bool (*each)(const struct forwarding *f, void *ctx);
	bool (*bad)(const struct name *n, const struct err *why, void *ctx);
	void *ctx;
};

static int walk_one(const struct name *name, bool *more, void *ctx, struct err *e)
{
	struct walk *w = ctx;
	struct forwarding f;
	bool found;

	if (forwarding_find(w->s, name, &f, &found, e) < 0) {
		if (w->bad == NULL)
			return -1;
		*more = w->bad(name, e, w->ctx);
	} else if (found) {
		*more = w->each(&f, w->ctx);
	}
	forwarding_fini(&f);
	return 0;
}

int forwarding_walk(struct store *s, struct str pattern,
		    bool (*each)(const struct forwarding *f, void *ctx),
		    bool (*bad)(const struct name *n, const struct err *why, void *ctx),
		    void *ctx, struct err *e)
{
	struct walk w = {s, each, bad, ctx};

	return tree_each(store_root(s), "forwardings", pattern, walk_one, NULL, &w, e);
}

int forwarding_each(struct store *s, struct str pattern,
		    bool (*each)(const struct forwarding *f, void *ctx), void *ctx,
		    struct err *e)
{
	return forwarding_walk(s, pattern, each, NULL, ctx, e);
}
