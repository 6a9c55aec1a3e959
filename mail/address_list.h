/* SPDX-License-Identifier: ISC */
/*
 * address_list - the addresses of a header field (RFC 5322 section 3.4)
 *
 * Takes what is found in mail: phrases of any octets, comments, groups, source routes,
 * addresses without brackets, empty places between commas.  What is no address (a name
 * alone, "undisclosed-recipients:;") is not in the list.
 *
 * Owns:    nothing: all lies in the arena.
 * Limits:  ADDRESS_LIST_MAX; what follows is not looked at.  One pass, no recursion.
 * Tests:   t/unit/mail/address_list.c
 */
#ifndef ADDRESS_LIST_H
#define ADDRESS_LIST_H

#include "lib/arena.h"

enum { ADDRESS_LIST_MAX = 10000 };

struct mailbox {
	struct str local, domain; /* local part unquoted; domain as written */
	struct str all;           /* local@domain */
};

struct address_list {
	struct mailbox *list;
	size_t n;
};

const struct address_list *address_list_parse(struct arena *a, struct str text);

#endif
