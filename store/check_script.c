/* SPDX-License-Identifier: ISC */
/*
 * check_script - the filter scripts of an account
 *
 * Nothing here loses mail: without a script that can be read a message is kept.  So what
 * cannot be proved is named and left to the owner, who has the text.
 */
#include "store/check_int.h"

#include "store/script.h"

#include <string.h>

struct looking {
	struct check *c;
	const struct account *a;
	bool has_active;
};

static void look(const char *path, const struct err *why, bool mended, void *ctx)
{
	struct looking *l = ctx;

	if (strcmp(strrchr(path, '/') + 1, l->a->script) == 0)
		l->has_active = true;
	if (why->class != ERR_NONE)
		check_report(l->c, "I19", mended,
			     "%s: %s; nothing is filtered by it until 'popstore sieve "
			     "put' writes it anew",
			     l->a->name.s, why->text);
}

int check_scripts(struct check *c, const struct account *a, struct err *e)
{
	struct looking l = {.c = c, .a = a};
	struct account now;
	bool found;

	if (script_check_each(c->s, a, c->o->repair, look, &l, e) < 0)
		return -1;
	if (a->script[0] == '\0' || l.has_active)
		return 0;
	/* Another one may have been made the active one, and this one removed, meanwhile. */
	if (account_find(c->s, &a->name, &now, &found, e) < 0)
		return -1;
	if (found && now.uid == a->uid && strcmp(now.script, a->script) == 0)
		check_report(c, "I19", false,
			     "%s: the active script is lost; all mail is kept until "
			     "'popstore sieve activate' names another",
			     a->name.s);
	return 0;
}
