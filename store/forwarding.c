/* SPDX-License-Identifier: ISC */
#include "store/forwarding.h"

#include "store/account.h"
#include "store/domain.h"
#include "store/record.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <string.h>

static const char kind[] = "popstore-forwarding";

void forwarding_fini(struct forwarding *f)
{
	xfree(&f->targets);
	f->n = 0;
}

/* ---- reading ------------------------------------------------------------------------- */

static int parse(struct str text, struct forwarding *out, struct err *e)
{
	struct str key, value;

	out->targets = xalloc(FORWARDING_TARGETS * sizeof *out->targets);
	while (record_next(&text, &key, &value)) {
		struct buf b;

		if (!str_eq(key, STR("to")))
			continue;
		buf_init(&b, 1024);
		record_decode(value, &b);

		bool ok = out->n < FORWARDING_TARGETS &&
			  address_parse(buf_str(&b), true, &out->targets[out->n]) ==
				  ADDRESS_OK;

		buf_fini(&b);
		if (!ok)
			return err_set(e, ERR_TEMP, "4.3.0",
				       "forwarding %s is not well formed", out->name.s);
		out->n++;
	}
	if (out->n == 0)
		return err_set(e, ERR_TEMP, "4.3.0", "forwarding %s has no target",
			       out->name.s);
	return 0;
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
	rc = store_read_record(s, place.path, kind, &text, found, e);
	if (rc == 0 && *found)
		rc = parse(buf_str(&text), out, e);
	buf_fini(&text);
	if (rc < 0)
		forwarding_fini(out);
	return rc;
}

/* ---- writing ---------------------------------------------------------------------------- */

static int check(struct store *s, const struct forwarding *f, struct err *e)
{
	struct account a;
	struct domain d;
	bool found;

	if (f->n == 0 || f->n > FORWARDING_TARGETS)
		return err_set(e, ERR_PERM, "5.1.3", "a forwarding has 1 to %d targets",
			       FORWARDING_TARGETS);
	if (domain_find(s, name_domain_of(&f->name), &d, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_PERM, "5.1.2", "there is no domain " STR_FMT,
			       STR_ARG(name_domain_of(&f->name)));
	if (d.alias_of.s[0] != '\0')
		return err_set(e, ERR_PERM, "5.1.2",
			       "%s is an alias of %s; make the forwarding there",
			       d.name.s, d.alias_of.s);
	if (account_find(s, &f->name, &a, &found, e) < 0)
		return -1;
	if (found)
		return err_set(e, ERR_PERM, "5.1.1",
			       "%s is an account; only names without one are forwarded",
			       f->name.s);
	return 0;
}

static int check_target(struct store *s, const struct forwarding *f,
			const struct address *t, struct err *e)
{
	struct name target;
	struct err not_ours;

	if (t->local[0] == '\0' || t->domain[0] == '\0')
		return err_set(e, ERR_PERM, "5.1.3", "a target is written name@domain");
	if (name_of(store_settings(s), str_of(t->local), str_of(t->domain), &target,
		    &not_ours) == 0 &&
	    strcmp(target.s, f->name.s) == 0)
		return err_set(e, ERR_PERM, "5.4.6", "%s cannot be forwarded to itself",
			       f->name.s);
	return 0;
}

int forwarding_put(struct store *s, const struct forwarding *f, struct err *e)
{
	struct record_writer w;
	struct place place;

	if (check(s, f, e) < 0)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (check_target(s, f, &f->targets[i], e) < 0)
			return -1;
	name_place("forwardings", &f->name, NULL, &place);
	record_begin(&w, kind);
	record_put(&w, "name", str_of(f->name.s));
	for (size_t i = 0; i < f->n; i++) {
		struct buf b;

		buf_init(&b, 1024);
		address_print(&b, &f->targets[i]);
		record_put(&w, "to", buf_str(&b));
		buf_fini(&b);
	}

	int rc = storage_put(store_root(s), place.path, record_finish(&w),
			     STORAGE_DURABLE, NULL, e);

	record_fini(&w);
	return rc;
}

int forwarding_delete(struct store *s, const struct name *name, bool *existed,
		      struct err *e)
{
	struct place place;

	name_place("forwardings", name, NULL, &place);
	if (storage_exists(store_root(s), place.path, existed, e) < 0)
		return -1;
	return *existed ? storage_remove(store_root(s), place.path, STORAGE_DURABLE, e)
			: 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

struct each {
	struct store *s;
	bool (*each)(const struct forwarding *f, void *ctx);
	void *ctx;
};

static int each_one(const struct name *name, bool *more, void *ctx, struct err *e)
{
	struct each *w = ctx;
	struct forwarding f;
	bool found;

	if (forwarding_find(w->s, name, &f, &found, e) < 0)
		return -1;
	if (found)
		*more = w->each(&f, w->ctx);
	forwarding_fini(&f);
	return 0;
}

int forwarding_each(struct store *s, struct str pattern,
		    bool (*each)(const struct forwarding *f, void *ctx), void *ctx,
		    struct err *e)
{
	struct each w = {s, each, ctx};

	return tree_each(store_root(s), "forwardings", pattern, each_one, &w, e);
}
