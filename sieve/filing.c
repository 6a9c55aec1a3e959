/* SPDX-License-Identifier: ISC */
#include "sieve/filing_int.h"

#include "sieve/flags_int.h"

#include <string.h>

bool filing_is_folder(struct str s)
{
	size_t levels = 0;

	if (s.n == 0 || s.n > FOLDER_OCTETS || str_has_control(s) || !str_is_utf8(s))
		return false;
	for (struct str rest = {s.p, s.n}; rest.p != NULL; levels++) {
		bool more = rest.n > 0 && memchr(rest.p, '/', rest.n) != NULL;
		struct str level = str_cut(&rest, '/');

		if (level.n == 0 || str_eq(level, STR(".")) || str_eq(level, STR("..")))
			return false;
		if (!more)
			break;
	}
	return levels < FOLDER_LEVELS;
}

bool filing_take(struct run *r, const struct node *n, struct sieve_filing *f)
{
	f->create = node_has(n, SLOT_CREATE);
	f->special_use = run_string(r, n, SLOT_SPECIAL_USE);
	flags_take(r, n, f);
	return !r->failed;
}

static bool is_filing(const struct sieve_action *a)
{
	return a->kind == SIEVE_KEEP || a->kind == SIEVE_FILEINTO;
}

/* find - an action that files into the same folder: one copy is enough */
static struct sieve_action *find(const struct run *r, const struct sieve_filing *f)
{
	for (size_t i = 0; i < r->result->n; i++) {
		struct sieve_action *a = &r->result->actions[i];

		if (is_filing(a) && str_eq(a->filing.folder, f->folder) &&
		    str_ieq(a->filing.special_use, f->special_use))
			return a;
	}
	return NULL;
}

enum flow filing_add(struct run *r, enum sieve_action_kind kind,
		     const struct sieve_filing *f, bool copy)
{
	struct sieve_action *found = find(r, f), *a = found ? found : run_action(r, kind);

	if (a == NULL)
		return FLOW_FAIL;
	/* The last one's flags count. */
	a->filing = *f;
	a->copy = copy && (found == NULL || found->copy);
	return FLOW_NEXT;
}
