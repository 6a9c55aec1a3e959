/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "auth/secret.h"
#include "ctl/accounts.h"
#include "ctl/add_from.h"
#include "ctl/password.h"

static int add_one(struct ctl *c, struct err *e)
{
	struct secret_prepared p = {0};
	struct account a;
	int rc = accounts_new(c, ctl_operand(c, 0), &a, e);

	/* Nobody is asked for what would not be kept. */
	if (rc == 0 && (!(a.flags & ACCOUNT_PWD_ELSEWHERE) || password_is_given(c)))
		rc = password_prepare(c, &p, e);
	if (rc == 0)
		rc = accounts_create(c, &a, &p, false, e);
	if (rc == 0)
		ctl_done(c, str_of(a.name.s),
			 p.hash[0] ? "added" : "added without a password");
	secret_prepared_wipe(&p);
	return rc;
}

int verb_add(struct ctl *c, struct err *e)
{
	bool many = ctl_has(c, OPT_FROM);

	if (many && c->options.n > 0)
		return ctl_usage_error(e, "a name and --from together");
	if (many && password_is_given(c))
		return ctl_usage_error(e, "--from brings the passwords: no %s",
				       ctl_has(c, OPT_HASH_STDIN) ? "--hash-stdin"
								  : "--password-stdin");
	if (!many && ctl_has(c, OPT_HASHES))
		return ctl_usage_error(
			e, "--hashes is for --from; for one account say --hash-stdin");
	if (!many && c->options.n == 0)
		return ctl_usage_error(e, "which account? or --from FILE");
	return many ? add_from(c, e) : add_one(c, e);
}
