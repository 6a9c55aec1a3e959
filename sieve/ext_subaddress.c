/* SPDX-License-Identifier: ISC */
/* subaddress (RFC 5233): :user and :detail of user+detail@domain */
#include "sieve/extensions_int.h"

#include "sieve/part_int.h"

#include <string.h>

/* delimiter - where the detail begins: at the first of the site's delimiters */
static size_t delimiter(const struct run *r, struct str local)
{
	struct str marks =
		r->in->envelope.delimiter.n > 0 ? r->in->envelope.delimiter : STR("+");

	for (size_t i = 0; i < local.n; i++)
		if (memchr(marks.p, local.p[i], marks.n) != NULL)
			return i;
	return local.n;
}

static bool take_user(const struct run *r, const struct mailbox *a, struct str *out)
{
	*out = (struct str){a->local.p, delimiter(r, a->local)};
	return true;
}

static bool take_detail(const struct run *r, const struct mailbox *a, struct str *out)
{
	size_t n = delimiter(r, a->local);

	if (n == a->local.n)
		return false;
	*out = (struct str){a->local.p + n + 1, a->local.n - n - 1};
	return true;
}

static const struct part part_user = {take_user}, part_detail = {take_detail};

static const struct tag tags[] = {
	{.name = "user", .on = TAKES_PART, .slot = SLOT_PART, .is = &part_user},
	{.name = "detail", .on = TAKES_PART, .slot = SLOT_PART, .is = &part_detail},
};

const struct extension ext_subaddress = {
	.name = "subaddress", .tags = tags, .n_tags = countof(tags)};
