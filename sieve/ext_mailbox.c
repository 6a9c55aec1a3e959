/* SPDX-License-Identifier: ISC */
/* mailbox (RFC 5490): mailboxexists, and :create of fileinto and :fcc */
#include "sieve/extensions_int.h"

#include "sieve/filing_int.h"

static bool test_mailboxexists(struct run *r, const struct node *n)
{
	const struct sieve_host *h = r->in->host;
	struct sieve_strings names = run_strings(r, n, SLOT_NAMES);

	for (size_t i = 0; i < names.n; i++)
		if (!filing_is_folder(names.list[i]) || h->folder_exists == NULL ||
		    !h->folder_exists(h->ctx, names.list[i]))
			return false;
	return true;
}

static const struct definition definitions[] = {
	{.name = "mailboxexists",
	 .kind = TEST,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES}},
	 .test = test_mailboxexists},
};

static const struct tag tags[] = {
	{.name = "create", .on = TAKES_FILING | TAKES_FCC, .slot = SLOT_CREATE},
};

const struct extension ext_mailbox = {.name = "mailbox",
				      .definitions = definitions,
				      .n_definitions = countof(definitions),
				      .tags = tags,
				      .n_tags = countof(tags)};
