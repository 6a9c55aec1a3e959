/* SPDX-License-Identifier: ISC */
#include "store/check.h"
#include "store/check_int.h"

#include "store/domain.h"
#include "store/forwarding.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

void check_report(struct check *c, const char *invariant, bool repaired, const char *fmt,
		  ...)
{
	struct check_finding f = {.invariant = invariant, .repaired = repaired};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.what, sizeof f.what, fmt, ap);
	va_end(ap);
	c->result->findings++;
	c->result->repaired += repaired;
	if (c->o->finding != NULL)
		c->o->finding(&f, c->o->ctx);
}

static uint64_t pair(uint64_t uid, uint64_t id)
{
	uint64_t ids[2] = {uid, id}, hash = XXH3_64bits(ids, sizeof ids);

	return hash ? hash : 1;
}

void check_saw(struct check *c, uint64_t uid, uint64_t id)
{
	if (c->seen.used < CHECK_SEEN_MAX)
		idmap_put(&c->seen, pair(uid, id), 1);
}

bool check_was_seen(const struct check *c, uint64_t uid, uint64_t id)
{
	uint64_t unused;

	return idmap_get(&c->seen, pair(uid, id), &unused);
}

/* ---- domains ------------------------------------------------------------------------ */

/* add_template - a crash in `domain add` can leave a domain without its default */
static int add_template(struct check *c, const struct name *name, struct err *e)
{
	struct account a = {.name = *name, .quota = QUOTA_NONE};

	return c->o->repair ? account_create(c->s, &a, false, e) : 0;
}

static int check_domain(const struct name *name, bool *more UNUSED, void *ctx,
			struct err *e)
{
	struct check *c = ctx;
	struct account a;
	struct domain d;
	struct name template;
	bool found;

	if (domain_resolve(c->s, str_of(name->s), &d, &found, e) < 0) {
		check_report(c, "I3", false, "domain %s: %s", name->s, e->text);
		return 0;
	}
	if (!found || strcmp(d.name.s, name->s) != 0)
		return 0;
	if (name_of(store_settings(c->s), STR("default"), str_of(name->s), &template, e) <
	    0)
		return -1;
	if (account_find(c->s, &template, &a, &found, e) < 0 || found)
		return 0; /* a damaged one is found among the accounts */
	if (add_template(c, &template, e) < 0)
		return -1;
	check_report(c, "I3", c->o->repair, "domain %s has no account `default`",
		     name->s);
	return 0;
}

/* ---- forwardings ---------------------------------------------------------------------- */

static int check_forwarding(const struct name *name, bool *more UNUSED, void *ctx,
			    struct err *e)
{
	struct check *c = ctx;
	struct forwarding f;
	struct account a;
	bool found;

	if (forwarding_find(c->s, name, &f, &found, e) < 0) {
		check_report(c, "I2", false, "%s", e->text);
		return 0;
	}
	forwarding_fini(&f);
	if (account_find(c->s, name, &a, &found, e) == 0 && found)
		check_report(c, "I4", false,
			     "%s is a forwarding and an account; the account is used",
			     name->s);
	return 0;
}

/* ---- accounts -------------------------------------------------------------------------- */

/* no_account - there is no profile, or none that can be read */
static int no_account(struct check *c, const struct name *name, const char *invariant,
		      const char *why)
{
	bool cleared = false;
	struct err e;

	/* What it held is found with the messages.  A deletion may be under way: then it
	 * is not cleared, and not for us to clear. */
	if (c->o->repair && account_clear_remnant(c->s, name, &cleared, &e) < 0) {
		cleared = false;
		why = e.text;
	}
	check_report(c, invariant, cleared, "%s", why);
	return 0;
}

static int check_place(const struct name *name, bool *more UNUSED, void *ctx,
		       struct err *e)
{
	struct check *c = ctx;
	struct account a;
	struct err why;
	bool found;

	c->result->accounts++;
	if (c->o->progress != NULL)
		c->o->progress(c->result->accounts, c->result->messages, c->o->ctx);
	if (account_find(c->s, name, &a, &found, &why) < 0)
		return no_account(c, name, "I2", why.text);
	if (found)
		return check_account(c, &a, e);
	err_set(&why, ERR_TEMP, "4.3.0", "account %s was deleted halfway", name->s);
	return no_account(c, name, "I4", why.text);
}

static int run(struct store *s, const struct check_options *o, struct check_result *out,
	       struct err *e)
{
	struct check c = {.s = s, .o = o, .result = out};
	struct storage *root = store_root(s);
	int rc = -1;

	if (tree_each(root, "domains", STR("*"), check_domain, &c, e) == 0 &&
	    tree_each(root, "forwardings", STR("*"), check_forwarding, &c, e) == 0 &&
	    tree_each(root, "accounts", STR("*"), check_place, &c, e) == 0)
		rc = check_messages(&c, e);
	/* A line that was made again belongs to a message that recovery never looks at
	 * any more (I14). */
	if (rc == 0 && out->repaired > 0)
		rc = storage_sync(root, e);
	idmap_fini(&c.seen);
	return rc;
}

int check_run(struct store *s, const struct check_options *o, struct check_result *out,
	      struct err *e)
{
	struct storage_lease *lease = NULL;
	int rc;

	*out = (struct check_result){0};
	/* Two repairs at once would both bring the same line back. */
	if (o->repair && storage_lease_take(store_root(s), "repair.lease", &lease, e) < 0)
		return -1;
	if (o->repair && lease == NULL)
		return err_set(e, ERR_TEMP, "4.3.2",
			       "another repair of this store is running");
	rc = run(s, o, out, e);
	storage_lease_drop(&lease);
	return rc;
}
