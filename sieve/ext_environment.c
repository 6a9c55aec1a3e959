/* SPDX-License-Identifier: ISC */
/* environment (RFC 5183): what the host says of itself; name and version are ours */
#include "sieve/extensions_int.h"

static bool item_value(struct run *r, struct str item, struct str *value)
{
	const struct sieve_host *h = r->in->host;
	struct buf out;
	bool found;

	if (str_ieq(item, STR("name"))) {
		*value = STR("popstore");
		return true;
	}
	if (str_ieq(item, STR("version"))) {
		*value = STR(POPSTORE_VERSION);
		return true;
	}
	if (h->environment == NULL)
		return false;
	buf_init(&out, r->site->limits.string_octets);
	found = h->environment(h->ctx, item, &out);
	*value = run_take(r, &out);
	return found;
}

static bool test_environment(struct run *r, const struct node *n)
{
	struct matching m;
	struct str value;

	matching_begin(&m, r, n->match);
	if (item_value(r, run_string(r, n, SLOT_ITEM), &value))
		matching_value(&m, value);
	return matching_end(&m);
}

static const struct definition definitions[] = {
	{.name = "environment",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_ITEM},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .test = test_environment},
};

const struct extension ext_environment = {.name = "environment",
					  .definitions = definitions,
					  .n_definitions = countof(definitions)};
