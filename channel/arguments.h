/* SPDX-License-Identifier: ISC */
/*
 * arguments - what stands behind the commands of LMTP, taken apart
 *
 * Pure functions.  Where one can refuse, it returns the reply, or NULL when all is
 * well; a reply is static.
 *
 * Tests: t/unit/channel/lmtp.c, where the conversation uses them
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "channel/lmtp.h"
#include "mail/address.h"

struct arguments_mail {
	struct address sender; /* empty = the null sender */
	uint64_t size;         /* 0 = not declared */
	bool utf8;
};

/* "FROM:<address> SIZE=n BODY=... SMTPUTF8 AUTH=..."; `max` is for SIZE.  Other
 * parameters were not announced: 555. */
const struct lmtp_reply *arguments_mail(struct str args, uint64_t max,
					struct arguments_mail *out);

/* "TO:<address>", without parameters.  *address is what stands between < and >;
 * what it is worth is for the verdict. */
const struct lmtp_reply *arguments_rcpt(struct str args, bool utf8, struct str *address);

enum arguments_bdat {
	ARGUMENTS_BDAT_OK,
	ARGUMENTS_BDAT_BAD,     /* but the number is known */
	ARGUMENTS_BDAT_UNKNOWN, /* nobody can tell what follows */
};

/* "n" or "n LAST" */
enum arguments_bdat arguments_bdat(struct str args, uint64_t *n, bool *last);

/* "IDENT=xtext", as Postfix defines it; the other attributes are read and forgotten.
 * *ident is borrowed, and untouched where it is not given: "" when it is unavailable or
 * could be no queue id. */
const struct lmtp_reply *arguments_xforward(struct str args, struct str *ident);

/* Letters, digits, and the signs of names and address literals: it goes into the
 * Received field. */
bool arguments_is_host(struct str s);

extern const struct lmtp_reply arguments_too_big; /* 552 5.3.4 */

#endif
