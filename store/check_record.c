/* SPDX-License-Identifier: ISC */
/*
 * check_record - the records of domains, forwardings and secrets, and the site key, one by
 * one
 *
 * A damaged one is mended where one octet of it was changed, since its checksum says which;
 * otherwise it is named, with the command that writes it anew.  A whole one that lies
 * elsewhere is written to the place of its name if nothing whole is there; what lies at a
 * place of its own is not removed, and of two that were exchanged none is moved.
 */
#include "store/check_int.h"

#include "store/domain.h"
#include "store/forwarding.h"
#include "store/mend.h"
#include "store/record.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* may_be_domain - also one that stands for another: whoever needs that one is told */
static bool may_be_domain(struct store *s UNUSED, struct str text UNUSED,
			  const struct name *name)
{
	struct name same;
	struct err e;

	return name_domain(str_of(name->s), &same, &e) == 0;
}

/* may_be_forwarding - a name is an account or a forwarding, not both */
static bool may_be_forwarding(struct store *s, struct str text UNUSED,
			      const struct name *name)
{
	struct account a;
	struct err e;
	bool found;

	return account_find(s, name, &a, &found, &e) == 0 && !found;
}

static const struct records {
	const char *tree, *what;
	const char *until, *then; /* what has to be done, before and behind the name */
	int (*check)(struct str text, const struct name *name, const char *what,
		     struct err *e);
	/* Would a record that was found elsewhere be one of the store's at its place? */
	bool (*may_be)(struct store *s, struct str text, const struct name *name);
	/* Is it what a crash left of one that nobody was promised?  NULL: never */
	bool (*is_remnant)(struct store *s, struct str text, const struct name *name);
} records[] = {
	/* clang-format off */
	[CHECK_DOMAINS] = {"domains", "domain",
			   "it gets no mail until `popstore domain add ",
			   "` writes it anew (with --alias, if it was one)",
			   domain_check_record, may_be_domain, NULL},
	[CHECK_FORWARDINGS] = {"forwardings", "forwarding",
			       "it gets no mail until `popstore forward ",
			       " ADDRESS...` writes it anew, or `noforward` removes it",
			       forwarding_check_record, may_be_forwarding, NULL},
	[CHECK_SECRETS] = {"secrets", "secret of",
			   "nobody can log in until `popstore passwd ",
			   "` gives a new password",
			   check_secret, check_secret_may_be, check_secret_is_remnant},
	[CHECK_SITE_KEY] = {"secrets/site-key", "site key",
			    "no recoverable password can be read, and none set, until it is "
			    "put back from a backup; remove ",
			    " to have a new one made, and those passwords have to be set "
			    "again",
			    check_site_key, NULL, NULL},
	/* clang-format on */
};

struct looking {
	struct check *c;
	const struct records *r;
	const char *path;
	const struct name *name; /* whose place it is; NULL: nobody's */
};

/* name_it - whose record it is, what is wrong, and what has to be done where it stays so */
static void name_it(const struct looking *l, bool repaired, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void name_it(const struct looking *l, bool repaired, const char *fmt, ...)
{
	char wrong[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(wrong, sizeof wrong, fmt, ap);
	va_end(ap);
	check_report(l->c, "I2", repaired, "%s %s: %s; %s%s%s", l->r->what, l->name->s,
		     wrong, l->r->until, l->name->s, l->r->then);
}

/* ---- mending ------------------------------------------------------------------------- */

static bool is_whole(struct str text, void *ctx)
{
	const struct looking *l = ctx;
	struct err e;

	return l->r->check(text, l->name, l->path, &e) == 0;
}

/* replace - under the lock, if it is still what was looked at; by nothing where *is is empty */
static int replace(struct looking *l, struct str was, struct str is, struct err *e)
{
	struct storage *root = store_root(l->c->s);
	struct buf now;
	bool found;

	buf_init_secret(&now, RECORD_MAX);

	int rc = storage_read(root, l->path, &now, &found, e);

	if (rc == 0 && (!found || !str_eq(buf_str(&now), was)))
		rc = err_set(e, ERR_TEMP, "4.3.0", "%s has changed just now", l->path);
	if (rc == 0 && is.n > 0)
		rc = storage_put(root, l->path, is, STORAGE_DURABLE, NULL, e);
	else if (rc == 0)
		rc = storage_remove(root, l->path, STORAGE_DURABLE, e);
	buf_fini_secret(&now);
	return rc;
}

static bool replaced(struct looking *l, struct str was, struct str is)
{
	struct storage_file *lock;
	struct err e;

	if (tree_lock(store_root(l->c->s), &lock, &e) < 0)
		return false;

	bool done = replace(l, was, is, &e) == 0;

	storage_file_close(&lock);
	return done;
}

static bool mend(struct looking *l, struct str text)
{
	struct buf mended;
	bool done;

	if (l->r->is_remnant != NULL && l->r->is_remnant(l->c->s, text, l->name))
		return replaced(l, text, STR(""));
	buf_init_secret(&mended, RECORD_MAX);
	buf_put(&mended, text);
	done = mend_octet(mended.p, mended.n, is_whole, l) &&
	       replaced(l, text, buf_str(&mended));
	buf_fini_secret(&mended);
	return done;
}

/* ---- what lies elsewhere --------------------------------------------------------------- */

/* whose - the name that a whole record says; false: it is not whole */
static bool whose(const struct looking *l, struct str text, struct name *name)
{
	struct buf own;
	struct err e;

	buf_init(&own, NAME_OCTETS);
	record_get(text, "name", &own);

	bool ok = name_read(buf_str(&own), name) &&
		  str_eq(buf_str(&own), str_of(name->s)) &&
		  l->r->check(text, name, l->path, &e) == 0;

	buf_fini(&own);
	return ok;
}

/* settle - makes the record that of its name, and sees that it is */
static int settle(struct looking *l, const struct name *name, struct str text,
		  struct err *e)
{
	struct storage *root = store_root(l->c->s);
	struct place place;
	struct buf there;
	struct name other;
	bool found;

	name_place(l->r->tree, name, NULL, &place);
	buf_init_secret(&there, RECORD_MAX);

	int rc = storage_read(root, place.path, &there, &found, e);

	if (rc < 0 && record_is_damage(e))
		rc = 0;
	if (rc == 0 && found && str_eq(buf_str(&there), text))
		goto out;
	if (rc == 0 && ((found && whose(l, buf_str(&there), &other)) ||
			!l->r->may_be(l->c->s, text, name)))
		rc = err_set(e, ERR_TEMP, "4.3.0", "%s is no place for it", place.path);
	if (rc == 0)
		rc = storage_put(root, place.path, text, STORAGE_DURABLE, NULL, e);
out:
	buf_fini_secret(&there);
	return rc;
}

/* is_called - the file has the name that its record would have at its own place */
static bool is_called(const struct looking *l, const struct name *name)
{
	struct place place;

	name_place(l->r->tree, name, NULL, &place);
	return strcmp(strrchr(l->path, '/'), strrchr(place.path, '/')) == 0;
}

/* move - the record of another name; where this is nobody's place, it goes once there is
 * the same at its own.  Under a name that is none of ours it is a copy that somebody made,
 * and perhaps of what was removed since: that stays, and is in force for nobody. */
static bool move(struct looking *l, const struct name *name, struct str text)
{
	struct storage *root = store_root(l->c->s);
	struct storage_file *lock;
	struct err e;

	if ((l->name == NULL && !is_called(l, name)) || tree_lock(root, &lock, &e) < 0)
		return false;

	bool done = settle(l, name, text, &e) == 0;

	if (l->name == NULL)
		done = done && storage_remove(root, l->path, STORAGE_DURABLE, &e) == 0;
	storage_file_close(&lock);
	return done;
}

static void misplaced(struct looking *l, struct str text)
{
	struct name own;
	bool known = whose(l, text, &own);
	bool moved = known && l->c->o->repair && move(l, &own, text);

	if (l->name == NULL) {
		check_report(l->c, "I2", moved, "%s is at no place of a name%s%s",
			     l->path, known ? "; it is the record of " : "",
			     known ? own.s : "");
		return;
	}
	name_it(l, false, "%s is the record of %s%s", l->path, own.s,
		moved ? ", which has it again" : "");
}

/* ---- one -------------------------------------------------------------------------------- */

static void bad(struct looking *l, struct str text, const struct err *why)
{
	struct name own;

	if (!record_is_damage(why)) {
		check_report(l->c, "I2", false, "%s %s: %s", l->r->what, l->name->s,
			     why->text);
		return;
	}
	if (whose(l, text, &own)) {
		misplaced(l, text);
		return;
	}
	name_it(l, l->c->o->repair && mend(l, text), "%s", why->text);
}

static void look(struct looking *l, struct str text, int rc, struct err *why)
{
	if (l->name == NULL)
		misplaced(l, text);
	else if (rc < 0 || l->r->check(text, l->name, l->path, why) < 0)
		bad(l, text, why);
}

static void check_at(struct looking *l, const char *path, const struct name *name)
{
	struct buf text;
	struct err e;
	bool found;

	l->path = path;
	l->name = name;
	buf_init_secret(&text, RECORD_MAX);

	int rc = storage_read(store_root(l->c->s), path, &text, &found, &e);

	if (rc < 0 || found)
		look(l, buf_str(&text), rc, &e);
	buf_fini_secret(&text);
}

static int check_entry(const char *path, const struct name *name, void *ctx,
		       struct err *e UNUSED)
{
	struct looking *l = ctx;

	if (strcmp(path, records[CHECK_SITE_KEY].tree) != 0)
		check_at(l, path, name);
	return 0;
}

static void unreadable(const struct err *why, void *ctx)
{
	const struct looking *l = ctx;

	check_report(l->c, "I2", false, "%s; what is in it was not looked at", why->text);
}

/* check_the_site_key - it is named by its path, as it has no name */
static void check_the_site_key(struct check *c)
{
	struct looking l = {.c = c, .r = &records[CHECK_SITE_KEY]};
	struct name name;

	snprintf(name.s, sizeof name.s, "%s", l.r->tree);
	check_at(&l, l.r->tree, &name);
}

int check_records(struct check *c, enum check_tree tree, struct err *e)
{
	struct looking l = {.c = c, .r = &records[tree]};

	if (tree == CHECK_SECRETS)
		check_the_site_key(c);
	return tree_entries(store_root(c->s), l.r->tree, check_entry, unreadable, &l, e);
}
