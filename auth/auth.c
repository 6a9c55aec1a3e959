/* SPDX-License-Identifier: ISC */
#include "auth/auth.h"

#include "auth/secret.h"
#include "store/domain.h"
#include "store/store.h"

#include <string.h>

struct auth {
	struct store *store;
};

struct auth *auth_new(struct store *s)
{
	struct auth *a = xalloc(sizeof *a);

	a->store = s;
	return a;
}

void auth_free(struct auth **a)
{
	xfree(a);
}

/* split_user - the domain is what follows the last '@', or the configured one;
 * false: there is none */
static bool split_user(const struct settings *set, struct str user, struct str *local,
		       struct str *domain)
{
	const char *at = user.n ? memrchr(user.p, '@', user.n) : NULL;

	if (at == NULL) {
		*local = user;
		*domain = str_of(set->auth.default_domain);
		return domain->n > 0;
	}
	*local = (struct str){user.p, (size_t)(at - user.p)};
	*domain = (struct str){at + 1, user.n - local->n - 1};
	return true;
}

/* Returned by the steps of a login; *e says why not. */
enum step { STEP_GOOD, STEP_REFUSED, STEP_FAILED };

static enum step refuse(struct err *e, const char *why)
{
	err_set(e, ERR_PERM, "5.7.8", "%s", why);
	return STEP_REFUSED;
}

/* find_user - from what was typed to the account */
static enum step find_user(struct store *s, struct str user, struct account *out,
			   struct err *e)
{
	const struct settings *set = store_settings(s);
	struct str local, domain;
	struct domain d;
	struct name name;
	bool found;

	if (!split_user(set, user, &local, &domain))
		return refuse(e, "the name has no domain");
	/* A name that cannot be: the text of *e says what is wrong with it. */
	if (name_of(set, local, domain, &name, e) < 0)
		return STEP_REFUSED;
	if (domain_resolve(s, name_domain_of(&name), &d, &found, e) < 0)
		return STEP_FAILED;
	if (!found)
		return refuse(e, "no such domain");
	if (name_of(set, local, str_of(d.name.s), &name, e) < 0)
		return STEP_REFUSED;
	if (account_find(s, &name, out, &found, e) < 0)
		return STEP_FAILED;
	return found ? STEP_GOOD : refuse(e, "no such account");
}

static enum step check_password(struct store *s, const struct account *a,
				struct str password, struct err *e)
{
	bool match;

	if (secret_check(s, a, password, &match, e) < 0)
		return STEP_FAILED;
	/* Only now: who may not come in has paid as much as who may. */
	if (!match)
		return refuse(e, "wrong password");
	if (account_is_template(a))
		return refuse(e, "the template account cannot log in");
	if (a->flags & ACCOUNT_DISUSER)
		return refuse(e, "the account is disabled (DISUSER)");
	return STEP_GOOD;
}

enum auth_result auth_password(struct auth *a, struct str user, struct str password,
			       struct account *out, struct err *e)
{
	struct account account;
	enum step step = find_user(a->store, user, &account, e);

	if (step == STEP_GOOD)
		step = check_password(a->store, &account, password, e);
	else if (step == STEP_REFUSED)
		secret_check_nobody(a->store, password);
	if (step == STEP_GOOD)
		*out = account;
	return step == STEP_GOOD      ? AUTH_OK
	       : step == STEP_REFUSED ? AUTH_REFUSED
				      : AUTH_TRY_AGAIN;
}
