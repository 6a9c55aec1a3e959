/* SPDX-License-Identifier: ISC */
/* mboxmetadata and servermetadata (RFC 5490): annotations of folders and of the server */
#include "sieve/extensions_int.h"

#include "sieve/filing_int.h"

/* find - of a folder, or of the server, which is "" */
static bool find(struct run *r, struct str folder, struct str name, struct str *value)
{
	const struct sieve_host *h = r->in->host;
	struct buf out;
	bool found;

	if (h->metadata == NULL || !run_spend(r, 1))
		return false;
	buf_init(&out, r->site->limits.string_octets);
	found = h->metadata(h->ctx, folder, name, &out);
	*value = run_take(r, &out);
	return found;
}

/* folder_of - false: it cannot be one.  The server's tests have no folder. */
static bool folder_of(struct run *r, const struct node *n, struct str *folder)
{
	*folder = run_string(r, n, SLOT_FOLDER);
	return !node_has(n, SLOT_FOLDER) || filing_is_folder(*folder);
}

static bool test_metadata(struct run *r, const struct node *n)
{
	struct str folder, value;
	struct matching m;

	matching_begin(&m, r, n->match);
	if (folder_of(r, n, &folder) &&
	    find(r, folder, run_string(r, n, SLOT_ITEM), &value))
		matching_value(&m, value);
	return matching_end(&m);
}

static bool test_exists(struct run *r, const struct node *n)
{
	struct sieve_strings names = run_strings(r, n, SLOT_NAMES);
	struct str folder, value;

	if (!folder_of(r, n, &folder))
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (!find(r, folder, names.list[i], &value))
			return false;
	return true;
}

static const struct definition mailbox[] = {
	{.name = "metadata",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_FOLDER},
		    {.kind = VALUE_STRING, .slot = SLOT_ITEM},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .test = test_metadata},
	{.name = "metadataexists",
	 .kind = TEST,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_FOLDER},
		    {.kind = VALUE_LIST, .slot = SLOT_NAMES}},
	 .test = test_exists},
};

const struct extension ext_mboxmetadata = {.name = "mboxmetadata",
					   .definitions = mailbox,
					   .n_definitions = countof(mailbox)};

static const struct definition server[] = {
	{.name = "servermetadata",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_ITEM},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .test = test_metadata},
	{.name = "servermetadataexists",
	 .kind = TEST,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES}},
	 .test = test_exists},
};

const struct extension ext_servermetadata = {.name = "servermetadata",
					     .definitions = server,
					     .n_definitions = countof(server)};
