/* SPDX-License-Identifier: ISC */
#include "ctl/scripts.h"

#include "ctl/accounts.h"
#include "store/script.h"

/* keep - one that has errors was complained about, and is not kept */
static int keep(struct ctl *c, const struct account *a, struct str text, struct err *e)
{
	struct sieve_script *s = scripts_compile_for(c, text, c->options.operands[2],
						     &sieve_site_delivery);
	int rc = 0;

	if (s != NULL)
		rc = script_put(c->store, a, ctl_operand(c, 1), text, e);
	if (s != NULL && rc == 0)
		ctl_done(c, str_of(a->name.s), "put");
	sieve_script_free(&s);
	return rc;
}

int verb_sieve_put(struct ctl *c, struct err *e)
{
	struct account a;
	struct buf text;

	if (accounts_get(c, ctl_operand(c, 0), &a, e) < 0 ||
	    script_check_name(ctl_operand(c, 1), e) < 0)
		return -1;
	buf_init(&text, SCRIPTS_FILE_MAX);

	int rc = scripts_read(c->options.operands[2], &text, e);

	if (rc == 0)
		rc = keep(c, &a, buf_str(&text), e);
	buf_fini(&text);
	return rc;
}
