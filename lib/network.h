/* SPDX-License-Identifier: ISC */
/*
 * network - addresses, and networks of them: "192.0.2.0/24", "2001:db8::/32"
 *
 * An IPv4 address is the IPv6 address that it is mapped to (RFC 4291 s2.5.5.2), so there is
 * one kind only, and 10.0.0.0/8 has what a dual-stack socket calls ::ffff:10.1.2.3, too.
 *
 * Bits behind the prefix of a network are an error, since they are a mistake.
 *
 * Pure functions.
 * Tests: t/unit/lib/network.c
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "lib/conf.h"
#include "lib/err.h"
#include "lib/str.h"

enum { NETWORK_TEXT = 48 };

struct network_address {
	unsigned char octets[16];
};

struct network {
	struct network_address first;
	unsigned bits; /* 0 to 128 */
};

/* "192.0.2.7" or "2001:db8::7", and nothing else: no name, no scope, no short forms. */
bool network_parse_address(struct str s, struct network_address *out) MUST_USE;
/* What conn.peer holds: "192.0.2.7:1234", "[2001:db8::7]:1234"; false for a Unix socket's. */
bool network_parse_peer(struct str s, struct network_address *out) MUST_USE;
/* An address with "/bits", or without for it alone. */
bool network_parse(struct str s, struct network *out) MUST_USE;

/* "a,b,c": *n of at most `max`; ERR_PERM says which is wrong. */
int network_parse_list(struct str s, struct network *out, size_t max, size_t *n,
		       struct err *e) MUST_USE;

bool network_has(const struct network *n, const struct network_address *a);
bool network_any_has(const struct network *list, size_t n,
		     const struct network_address *a);
/* The network that stands for a customer's line: /24 of IPv4, /64 of IPv6. */
struct network network_around(const struct network_address *a);
void network_print(const struct network *n, char out[NETWORK_TEXT]);

/* For the table of settings: NULL, or what is wrong with a network. */
const char *network_wrong(struct str s);
/* Whether one of these, which network_wrong() has passed, has the peer. */
bool network_list_has_peer(const struct conf_list *list, const char *peer);

#endif
