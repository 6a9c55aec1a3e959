/* SPDX-License-Identifier: ISC */
/* index (RFC 5260 section 6): :index and :last of header, address and date */
#include "sieve/extensions_int.h"

static const struct tag tags[] = {
	{.name = "index", .on = TAKES_INDEX, .slot = SLOT_INDEX, .value = VALUE_NUMBER},
	{.name = "last", .on = TAKES_INDEX, .slot = SLOT_LAST},
};

const struct extension ext_index = {
	.name = "index", .tags = tags, .n_tags = countof(tags)};
