/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "auth/secret.h"
#include "ctl/accounts.h"
#include "ctl/password.h"

#include <unistd.h>

/* LOCKPWD binds the owner of the account, not the operator. */
int verb_passwd(struct ctl *c, struct err *e)
{
	struct secret_prepared p;
	struct account a;
	int rc;

	if (accounts_get(c, ctl_operand(c, 0), &a, e) < 0)
		return -1;
	if (account_is_template(&a))
		return err_set(e, ERR_PERM, "5.7.0", "%s is a template and cannot log in",
			       a.name.s);
	if (!password_is_given(c) && !isatty(STDIN_FILENO))
		return ctl_usage_error(e, "nobody is there to ask: say --password-stdin");
	rc = password_prepare(c, &p, e);
	if (rc == 0 && p.hash[0] == '\0')
		rc = err_set(e, ERR_PERM, "5.7.0", "the password is empty");
	if (rc == 0)
		rc = secret_put(c->store, &a, &p, false, e);
	secret_prepared_wipe(&p);
	if (rc == 0)
		ctl_done(c, str_of(a.name.s), "password set");
	return rc;
}
