/* SPDX-License-Identifier: ISC */
#include "authd/user.h"

#include "store/domain.h"
#include "store/store.h"

#include <string.h>

/* split - the domain is what follows the last '@', or the configured one; false: there is
 * none */
static bool split(const struct settings *set, struct str typed, struct str *local,
		  struct str *domain)
{
	const char *at = typed.n ? memrchr(typed.p, '@', typed.n) : NULL;

	if (at == NULL) {
		*local = typed;
		*domain = str_of(set->auth.default_domain);
		return domain->n > 0;
	}
	*local = (struct str){typed.p, (size_t)(at - typed.p)};
	*domain = (struct str){at + 1, typed.n - local->n - 1};
	return true;
}

static enum user_result unknown(struct err *e, const char *why)
{
	err_set(e, ERR_PERM, "5.7.8", "%s", why);
	return USER_UNKNOWN;
}

/* look_up - also the domain, where it was looked for and *known */
static enum user_result look_up(struct store *s, struct str typed, struct name *out,
				struct domain *d, bool *known, struct err *e)
{
	const struct settings *set = store_settings(s);
	struct str local, domain;
	struct name typed_name;

	*known = false;
	out->s[0] = '\0';
	if (!split(set, typed, &local, &domain))
		return unknown(e, "the name has no domain");
	/* A name that cannot be: the text of *e says what is wrong with it. */
	if (name_of(set, local, domain, &typed_name, e) < 0)
		return USER_UNKNOWN;
	if (domain_resolve(s, name_domain_of(&typed_name), d, known, e) < 0)
		return USER_FAILED;
	if (!*known)
		return unknown(e, "no such domain");
	return name_of(set, local, str_of(d->name.s), out, e) < 0 ? USER_UNKNOWN
								  : USER_FOUND;
}

enum user_result user_name(struct store *s, struct str typed, struct name *out,
			   struct err *e)
{
	struct domain d;
	bool known;

	return look_up(s, typed, out, &d, &known, e);
}

/* find_named - `r` says what came of finding the name */
static enum user_result find_named(struct store *s, enum user_result r,
				   const struct name *name, struct account *out,
				   struct err *e)
{
	bool found;

	*out = (struct account){.name = *name};
	if (r != USER_FOUND)
		return r;
	if (account_find(s, name, out, &found, e) < 0)
		return USER_FAILED;
	out->name = *name;
	return found ? USER_FOUND : unknown(e, "no such account");
}

enum user_result user_find(struct store *s, struct str typed, struct account *out,
			   struct err *e)
{
	struct name name;
	enum user_result r = user_name(s, typed, &name, e);

	return find_named(s, r, &name, out, e);
}

/* ---- folders ---------------------------------------------------------------------- */

/* is_account - by the whole name, which comes first, as in a recipient (store/verdict.h) */
static bool is_account(struct store *s, const struct name *name)
{
	struct account a;
	struct err e;
	bool found;

	return name->s[0] != '\0' && (account_find(s, name, &a, &found, &e) < 0 || found);
}

enum user_result user_name_folder(struct store *s, struct str typed, struct name *out,
				  struct str *folder, struct err *e)
{
	const struct settings *set = store_settings(s);
	struct str local, domain, detail;
	struct domain d;
	bool known;
	enum user_result r = look_up(s, typed, out, &d, &known, e);

	*folder = STR("");
	if (r == USER_FAILED || !split(set, typed, &local, &domain))
		return r;
	if (!known && domain_resolve(s, domain, &d, &known, e) < 0)
		return USER_FAILED;
	if (!known || !domain_cut_detail(&d, &local, &detail) || detail.n == 0 ||
	    is_account(s, out))
		return r;
	*folder = detail;
	return name_of(set, local, str_of(d.name.s), out, e) < 0 ? USER_UNKNOWN
								 : USER_FOUND;
}

enum user_result user_find_folder(struct store *s, struct str typed, struct account *out,
				  struct str *folder, struct err *e)
{
	struct name name;
	enum user_result r = user_name_folder(s, typed, &name, folder, e);

	return find_named(s, r, &name, out, e);
}

bool user_may_login(const struct account *a, struct err *e)
{
	if (account_is_template(a))
		err_set(e, ERR_PERM, "5.7.8", "the template account cannot log in");
	else if (a->flags & ACCOUNT_DISUSER)
		err_set(e, ERR_PERM, "5.7.8", "the account is disabled (DISUSER)");
	else
		return true;
	return false;
}
