/* SPDX-License-Identifier: ISC */
/* RFC 5228 section 2.7: comparators and match types of the base language, i;ascii-numeric */
#include "sieve/extensions_int.h"
#include "sieve/part_int.h"

static const struct tag tags[] = {
	{.name = "comparator",
	 .on = TAKES_MATCH,
	 .slot = SLOT_COMPARATOR,
	 .value = VALUE_STRING,
	 .fixed = true},
	{.name = "is", .on = TAKES_MATCH, .slot = SLOT_MATCH, .is = &match_is},
	{.name = "contains",
	 .on = TAKES_MATCH,
	 .slot = SLOT_MATCH,
	 .is = &match_contains},
	{.name = "matches", .on = TAKES_MATCH, .slot = SLOT_MATCH, .is = &match_matches},
	{.name = "all", .on = TAKES_PART, .slot = SLOT_PART, .is = &part_all},
	{.name = "localpart", .on = TAKES_PART, .slot = SLOT_PART, .is = &part_local},
	{.name = "domain", .on = TAKES_PART, .slot = SLOT_PART, .is = &part_domain},
};

const struct extension core_matching = {
	.always = true, .tags = tags, .n_tags = countof(tags)};

const struct extension ext_comparator_octet = {
	.name = "comparator-i;octet", .always = true, .comparator = &comparator_octet};
const struct extension ext_comparator_ascii_casemap = {
	.name = "comparator-i;ascii-casemap",
	.always = true,
	.comparator = &comparator_ascii_casemap};

static const struct comparator numeric = {.name = "i;ascii-numeric", .numeric = true};

const struct extension ext_comparator_numeric = {.name = "comparator-i;ascii-numeric",
						 .comparator = &numeric};
