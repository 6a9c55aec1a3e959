/* SPDX-License-Identifier: ISC */
/* fcc (RFC 8580) */
#include "sieve/extensions_int.h"

#include "sieve/fcc_int.h"
#include "sieve/filing_int.h"

bool fcc_check(struct checker *c, struct node *n)
{
	static const enum slot needy[] = {SLOT_FLAGS, SLOT_CREATE, SLOT_SPECIAL_USE};
	const struct str *folder = checker_fixed(n, SLOT_FCC);

	for (size_t i = 0; i < countof(needy); i++) {
		const struct arg *a = node_arg(n, needy[i]);

		if (a != NULL && !node_has(n, SLOT_FCC))
			return checker_error(c, a->at, ":" STR_FMT " needs :fcc here",
					     STR_ARG(a->tag));
	}
	return folder == NULL || filing_is_folder(*folder) ||
	       checker_error(c, node_arg(n, SLOT_FCC)->at,
			     "'" STR_FMT "' is no name of a folder", STR_ARG(*folder));
}

bool fcc_take(struct run *r, const struct node *n, struct sieve_filing *f)
{
	if (!node_has(n, SLOT_FCC))
		return true;
	f->folder = run_string(r, n, SLOT_FCC);
	if (!filing_is_folder(f->folder)) {
		run_fail(r, ":fcc: '" STR_FMT "' is no name of a folder",
			 STR_ARG(f->folder));
		return false;
	}
	return filing_take(r, n, f);
}

static const struct tag tags[] = {
	{.name = "fcc", .on = TAKES_FCC, .slot = SLOT_FCC, .value = VALUE_STRING},
};

const struct extension ext_fcc = {.name = "fcc", .tags = tags, .n_tags = countof(tags)};
