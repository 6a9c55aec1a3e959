/* SPDX-License-Identifier: ISC */
/* extlists (RFC 6134): match type :list, redirect :list, valid_ext_list */
#include "sieve/extensions_int.h"

static bool exists(const struct run *r, struct str list)
{
	const struct sieve_host *h = r->in->host;

	return h->list_exists != NULL && h->list_exists(h->ctx, list);
}

/* A key is the name of a list. */
static bool key_list(struct matching *m, struct str value, size_t key)
{
	const struct sieve_host *h = m->run->in->host;

	if (!run_spend(m->run, 1 + value.n))
		return false;
	if (!exists(m->run, m->keys[key])) {
		run_fail(m->run, ":list: there is no list '" STR_FMT "'",
			 STR_ARG(m->keys[key]));
		return false;
	}
	return h->list_has != NULL && h->list_has(h->ctx, m->keys[key], value);
}

const struct match_type match_list = {
	.name = "list", .key = key_list, .lists = true, .raw = true};

static bool test_valid(struct run *r, const struct node *n)
{
	struct sieve_strings names = run_strings(r, n, SLOT_NAMES);

	for (size_t i = 0; i < names.n; i++)
		if (!run_spend(r, 1) || !exists(r, names.list[i]))
			return false;
	return true;
}

static const struct definition definitions[] = {
	{.name = "valid_ext_list",
	 .kind = TEST,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES}},
	 .test = test_valid},
};

static const struct tag tags[] = {
	{.name = "list", .on = TAKES_MATCH, .slot = SLOT_MATCH, .is = &match_list},
	{.name = "list", .on = TAKES_REDIRECT, .slot = SLOT_LIST},
};

const struct extension ext_extlists = {.name = "extlists",
				       .definitions = definitions,
				       .n_definitions = countof(definitions),
				       .tags = tags,
				       .n_tags = countof(tags)};
