/* SPDX-License-Identifier: ISC */
/* mime (RFC 5703 section 4): header, address and exists look into parts */
#include "sieve/extensions_int.h"

#include "sieve/select_int.h"

static const enum mime_option type = MIME_TYPE, subtype = MIME_SUBTYPE;
static const enum mime_option contenttype = MIME_CONTENTTYPE, param = MIME_PARAM;

static const struct tag tags[] = {
	{.name = "mime", .on = TAKES_ANYCHILD, .slot = SLOT_MIME},
	{.name = "anychild", .on = TAKES_ANYCHILD, .slot = SLOT_ANYCHILD},
	{.name = "type", .on = TAKES_MIME, .slot = SLOT_MIME_OPTION, .is = &type},
	{.name = "subtype", .on = TAKES_MIME, .slot = SLOT_MIME_OPTION, .is = &subtype},
	{.name = "contenttype",
	 .on = TAKES_MIME,
	 .slot = SLOT_MIME_OPTION,
	 .is = &contenttype},
	{.name = "param",
	 .on = TAKES_MIME,
	 .slot = SLOT_MIME_OPTION,
	 .value = VALUE_LIST,
	 .is = &param},
};

const struct extension ext_mime = {.name = "mime", .tags = tags, .n_tags = countof(tags)};
