/* SPDX-License-Identifier: ISC */
/* fileinto (RFC 5228 section 4.1) */
#include "sieve/extensions_int.h"

#include "sieve/filing_int.h"

static bool check_fileinto(struct checker *c, struct node *n)
{
	const struct str *folder = checker_fixed(n, SLOT_FOLDER);

	if (folder == NULL || filing_is_folder(*folder))
		return true;
	return checker_error(c, node_arg(n, SLOT_FOLDER)->at,
			     "'" STR_FMT "' is no name of a folder", STR_ARG(*folder));
}

static enum flow run_fileinto(struct run *r, const struct node *n)
{
	struct sieve_filing f = {.folder = run_string(r, n, SLOT_FOLDER)};
	bool copy = node_has(n, SLOT_COPY);

	if (!filing_is_folder(f.folder))
		return run_fail(r, "fileinto: '" STR_FMT "' is no name of a folder",
				STR_ARG(f.folder));
	if (!filing_take(r, n, &f))
		return FLOW_FAIL;
	if (!copy)
		r->cancelled = true;
	return filing_add(r, SIEVE_FILEINTO, &f, copy);
}

static const struct definition definitions[] = {
	{.name = "fileinto",
	 .takes = TAKES_FILING | TAKES_FLAGS | TAKES_COPY,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_FOLDER}},
	 .check = check_fileinto,
	 .run = run_fileinto},
};

const struct extension ext_fileinto = {.name = "fileinto",
				       .definitions = definitions,
				       .n_definitions = countof(definitions)};
