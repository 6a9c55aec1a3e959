/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/domain.h"
#include "store/forwarding.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <string.h>

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

	if (domain_find(c->s, str_of(name->s), &d, &found, e) < 0)
		return 0; /* named with the records */
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

	if (forwarding_find(c->s, name, &f, &found, e) < 0)
		return 0; /* named with the records */
	forwarding_fini(&f);
	if (!found)
		return 0;
	if (account_find(c->s, name, &a, &found, e) == 0 && found)
		check_report(c, "I4", false,
			     "%s is a forwarding and an account; the account is used",
			     name->s);
	return 0;
}

int check_names(struct check *c, struct err *e)
{
	struct storage *root = store_root(c->s);

	if (check_records(c, CHECK_DOMAINS, e) < 0 ||
	    check_records(c, CHECK_FORWARDINGS, e) < 0 ||
	    check_records(c, CHECK_SECRETS, e) < 0)
		return -1;
	return tree_each(root, "domains", STR("*"), check_domain, check_said, c, e) < 0 ||
			       tree_each(root, "forwardings", STR("*"), check_forwarding,
					 check_said, c, e) < 0
		       ? -1
		       : 0;
}
