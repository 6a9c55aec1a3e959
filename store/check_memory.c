/* SPDX-License-Identifier: ISC */
/*
 * check_memory - what the filters of an account remember
 *
 * Nothing here is mail, and what is damaged cannot be told from what was remembered: it is
 * taken away, and the worst of it is a second answer to somebody.
 */
#include "store/check_int.h"

#include "store/memory.h"
#include "store/record.h"

void check_memory(struct check *c, const struct account *a)
{
	bool removed = false;
	struct err why, ignored;

	if (memory_check(c->s, a, &why) == 0)
		return;
	if (c->o->repair && record_is_damage(&why) &&
	    memory_mend(c->s, a, &removed, &ignored) < 0)
		removed = false;
	check_report(c, "I21", removed,
		     "%s: %s; until it is taken away vacation answers nobody", a->name.s,
		     why.text);
}
