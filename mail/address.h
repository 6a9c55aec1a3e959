/* SPDX-License-Identifier: ISC */
/*
 * address - an envelope address, taken apart (RFC 5321 s4.1.2, RFC 6531)
 *
 * Accepts what may stand between < and > of MAIL FROM and RCPT TO: an optional
 * source route (dropped, as RFC 5321 s3.6.1 and appendix C ask), a dot-string
 * or quoted-string local part, a domain.  Quoting is undone: "a\b"@d and ab@d
 * are the same local part.  The domain is folded to lower case and loses a
 * final dot; a local part keeps its case here (the store folds it).
 *
 * More than the RFC has is taken where the world has more: dots at any place of
 * an unquoted local part, underscores in domains.  Less is taken in two places:
 * an empty local part (""@d) is none, and control characters are never
 * accepted, not even quoted: nothing that came in an address can end a line.
 *
 * A domain may be a literal, [192.0.2.1] or [IPv6:...]; what stands in it is not
 * looked at, since no account lives there.
 *
 * Limits: local part and domain 255 octets each.  RFC 5321 s4.5.3.1 has 64 for a
 *         local part, but senders made by VERP, BATV and SRS are longer, and so
 *         are recipients elsewhere; what this store's own names are held to
 *         says store/name.h.
 * Tests:  t/unit/mail/address.c  t/fuzz/address.c
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "lib/buf.h"
#include "lib/str.h"

enum { ADDRESS_LOCAL_MAX = 255, ADDRESS_DOMAIN_MAX = 255 };

struct address {
	char local[ADDRESS_LOCAL_MAX + 1];   /* unquoted */
	char domain[ADDRESS_DOMAIN_MAX + 1]; /* lower case; "" when there was none */
};

enum address_result {
	ADDRESS_OK,
	ADDRESS_NULL,       /* <>: the null sender; both parts are empty */
	ADDRESS_BAD,        /* not an address */
	ADDRESS_TOO_LONG,   /* an address, but longer than the limits above */
	ADDRESS_NEEDS_UTF8, /* octets over 0x7f, and utf8 was not allowed */
};

/* `s` is what stands between < and >, without them.  *out is empty unless OK. */
enum address_result address_parse(struct str s, bool utf8, struct address *out);

/* The same for the form that Postfix uses inside and passes to policy servers:
 * the local part is not quoted, whatever is in it; the last @ ends it. */
enum address_result address_parse_plain(struct str s, bool utf8, struct address *out);

/* Takes "<...>" off the front of *rest (quotes respected, so that <"a>b"@c> is
 * one path) and returns what is between; false when there is no complete path. */
bool address_path(struct str *rest, struct str *path) MUST_USE;

/* Appends the address as RFC 5321 writes it, quoted where it must be. */
void address_print(struct buf *out, const struct address *a);

#endif
