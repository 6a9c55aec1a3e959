/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "auth/secret.h"
#include "ctl/accounts.h"
#include "ctl/password.h"

#include <unistd.h>

/* LOCKPWD binds the owner of the account, not the operator. */
int verb_passwd(struct ctl *c, struct err *e)
{
	struct account a;
	struct buf password;

	if (accounts_get(c, ctl_operand(c, 0), &a, e) < 0)
		return -1;
	if (account_is_template(&a))
		return err_set(e, ERR_PERM, "5.7.0", "%s is a template and cannot log in",
			       a.name.s);
	if (!ctl_has(c, OPT_PASSWORD_STDIN) && !isatty(STDIN_FILENO))
		return ctl_usage_error(e, "nobody is there to ask: say --password-stdin");

	int rc = password_get(c, &password, e);

	if (rc == 0)
		rc = secret_set(c->store, &a, buf_str(&password), false, e);
	buf_fini_secret(&password);
	if (rc == 0)
		ctl_done(c, str_of(a.name.s), "password set");
	return rc;
}
