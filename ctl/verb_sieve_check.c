/* SPDX-License-Identifier: ISC */
#include "ctl/scripts.h"

int verb_sieve_check(struct ctl *c, struct err *e)
{
	const char *path = c->options.operands[0];
	struct sieve_script *s = NULL;
	struct buf text;
	int rc;

	buf_init(&text, SCRIPTS_FILE_MAX);
	rc = scripts_read(path, &text, e);
	if (rc == 0)
		s = scripts_compile(c, buf_str(&text), path);
	if (s != NULL)
		ctl_done(c, str_of(path), "sound");
	sieve_script_free(&s);
	buf_fini(&text);
	return rc;
}
