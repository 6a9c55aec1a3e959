/* SPDX-License-Identifier: ISC */
#include "ctl/accounts.h"
#include "ctl/print.h"
#include "store/script.h"

/* print - as it was put: it may go on to a file */
static void print(const struct ctl *c, struct str text)
{
	if (!ctl_has(c, OPT_JSON)) {
		fwrite(text.p, 1, text.n, stdout);
		return;
	}

	json_t *o = json_object();

	json_object_set_new(o, "name", print_json_text(ctl_operand(c, 1)));
	json_object_set_new(o, "text", print_json_text(text));
	print_json(o, stdout);
}

int verb_sieve_get(struct ctl *c, struct err *e)
{
	struct account a;
	struct buf text;
	bool found;

	if (accounts_get(c, ctl_operand(c, 0), &a, e) < 0)
		return -1;
	buf_init(&text, SCRIPT_TEXT_MAX);

	int rc = script_get(c->store, &a, ctl_operand(c, 1), &text, &found, e);

	if (rc == 0 && !found)
		rc = err_set(e, ERR_PERM, "5.5.0", "%s has no script '%s'", a.name.s,
			     c->options.operands[1]);
	if (rc == 0)
		print(c, buf_str(&text));
	buf_fini(&text);
	return rc;
}
