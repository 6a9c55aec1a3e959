/* SPDX-License-Identifier: ISC */
/* copy (RFC 3894): :copy does not cancel the implicit keep */
#include "sieve/extensions_int.h"

static const struct tag tags[] = {
	{.name = "copy", .on = TAKES_COPY, .slot = SLOT_COPY},
};

const struct extension ext_copy = {.name = "copy", .tags = tags, .n_tags = countof(tags)};
