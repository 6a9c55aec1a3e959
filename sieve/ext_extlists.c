/* SPDX-License-Identifier: ISC */
/* extlists (RFC 6134): match type :list, redirect :list, valid_ext_list */
#include "sieve/extensions_int.h"

#include "sieve/extlists_int.h"
#include "sieve/mailto_int.h"

struct str extlists_name(struct run *r, struct str name)
{
	const struct str urn = STR("urn:ietf:params:sieve:"), book = STR(":addrbook:");
	struct str which;

	if (str_istarts(name, urn))
		name = (struct str){name.p + urn.n - 1, name.n - urn.n + 1};
	if (!str_istarts(name, book) ||
	    !uri_decode(r->arena, (struct str){name.p + book.n, name.n - book.n}, &which))
		return name;
	return str_ieq(which, STR("default")) ? STR(":addrbook:default") : name;
}

static bool exists(const struct run *r, struct str list)
{
	const struct sieve_host *h = r->in->host;

	return h->list_exists != NULL && h->list_exists(h->ctx, list);
}

/* A key is the name of a list. */
static bool key_list(struct matching *m, struct str value, size_t key)
{
	const struct sieve_host *h = m->run->in->host;
	struct frame *f = m->run->frame;
	struct str list;

	if (!run_spend(m->run, 1 + value.n))
		return false;
	list = extlists_name(m->run, m->keys[key]);
	if (!exists(m->run, list)) {
		run_fail(m->run, ":list: there is no list '" STR_FMT "'", STR_ARG(list));
		return false;
	}
	if (h->list_has == NULL || !h->list_has(h->ctx, list, value))
		return false;
	if (m->match->captures) { /* section 2.2: ${0} is what was found */
		f->captures[0] = value;
		f->n_captures = 1;
	}
	return true;
}

const struct match_type match_list = {
	.name = "list", .key = key_list, .lists = true, .raw = true};

static bool test_valid(struct run *r, const struct node *n)
{
	struct sieve_strings names = run_strings(r, n, SLOT_NAMES);

	for (size_t i = 0; i < names.n; i++)
		if (!run_spend(r, 1) || !exists(r, extlists_name(r, names.list[i])))
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
