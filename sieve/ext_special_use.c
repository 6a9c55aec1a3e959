/* SPDX-License-Identifier: ISC */
/* special-use (RFC 8579): specialuse_exists, and :specialuse of fileinto and :fcc */
#include "sieve/extensions_int.h"

#include "sieve/filing_int.h"

static bool test_exists(struct run *r, const struct node *n)
{
	const struct sieve_host *h = r->in->host;
	struct str folder = run_string(r, n, SLOT_FOLDER);
	struct sieve_strings uses = run_strings(r, n, SLOT_NAMES);

	if (node_has(n, SLOT_FOLDER) && !filing_is_folder(folder))
		return false;
	for (size_t i = 0; i < uses.n; i++)
		if (h->special_use_exists == NULL || !run_spend(r, 1) ||
		    !h->special_use_exists(h->ctx, folder, uses.list[i]))
			return false;
	return true;
}

/* A backslash and a word, as "\Sent" (RFC 6154). */
static bool is_use(struct str s)
{
	return s.n > 1 && s.p[0] == '\\' &&
	       checker_is_identifier((struct str){s.p + 1, s.n - 1});
}

static bool check_use(struct checker *c, struct node *n, const struct arg *a)
{
	(void)n;
	return a->texts.list[0].n > 0 || is_use(a->texts.list[0].fixed) ||
	       checker_error(c, a->at, ":specialuse takes a flag such as \"\\Sent\"");
}

static const struct definition definitions[] = {
	{.name = "specialuse_exists",
	 .kind = TEST,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_FOLDER, .optional = true},
		    {.kind = VALUE_LIST, .slot = SLOT_NAMES}},
	 .test = test_exists},
};

static const struct tag tags[] = {
	{.name = "specialuse",
	 .on = TAKES_FILING | TAKES_FCC,
	 .slot = SLOT_SPECIAL_USE,
	 .value = VALUE_STRING,
	 .check = check_use},
};

const struct extension ext_special_use = {.name = "special-use",
					  .definitions = definitions,
					  .n_definitions = countof(definitions),
					  .tags = tags,
					  .n_tags = countof(tags)};
