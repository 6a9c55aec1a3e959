/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "auth/secret.h"
#include "ctl/accounts.h"
#include "ctl/add_from.h"
#include "ctl/password.h"

/* get_hash - stays "" for an account that has no password yet */
static int get_hash(struct ctl *c, struct secret_hash *out, struct err *e)
{
	struct buf password;
	int rc = password_get(c, &password, e);

	/* An empty line on standard input is a mistake, at a prompt it is an answer. */
	if (rc == 0 && (password.n > 0 || ctl_has(c, OPT_PASSWORD_STDIN)))
		rc = secret_hash(c->settings, buf_str(&password), out, e);
	buf_fini_secret(&password);
	return rc;
}

static int add_one(struct ctl *c, struct err *e)
{
	struct secret_hash hash = {0};
	struct account a;

	if (accounts_new(c, ctl_operand(c, 0), &a, e) < 0 || get_hash(c, &hash, e) < 0 ||
	    accounts_create(c, &a, &hash, false, e) < 0)
		return -1;
	ctl_done(c, str_of(a.name.s), hash.s[0] ? "added" : "added without a password");
	return 0;
}

int verb_add(struct ctl *c, struct err *e)
{
	bool many = ctl_has(c, OPT_FROM);

	if (many && c->options.n > 0)
		return ctl_usage_error(e, "a name and --from together");
	if (many && ctl_has(c, OPT_PASSWORD_STDIN))
		return ctl_usage_error(
			e, "--from brings the passwords: no --password-stdin");
	if (!many && c->options.n == 0)
		return ctl_usage_error(e, "which account? or --from FILE");
	return many ? add_from(c, e) : add_one(c, e);
}
