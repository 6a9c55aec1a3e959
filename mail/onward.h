/* SPDX-License-Identifier: ISC */
/*
 * onward - may this message be sent on? what its header says about it
 *
 * Whoever sends a message on puts a field of his own on top, with the address for whose sake
 * he does it.  A message that has the field of that address was there before: it goes round,
 * by whatever way, and goes no further.
 *
 * What the MTA found out about the message's author stands in Authentication-Results (RFC
 * 8601) under the MTA's own name; fields of others may have come with the message.  An MTA
 * takes away what came under its name; where it does not, a forged "pass" is of no use here,
 * since one "fail" is enough.
 *
 * Limits:  mail/header.h's.
 * Tests:   t/unit/mail/onward.c  t/fuzz/onward.c
 */
#ifndef ONWARD_H
#define ONWARD_H

#include "lib/buf.h"
#include "mail/header.h"

/* Appends the field, in stored form; a control octet becomes a question mark. */
void onward_put_mark(struct str address, struct buf *out);
/* Addresses are compared without case. */
bool onward_has_mark(const struct header *h, struct str address);

/* Whether `authserv` says that the message failed DMARC. */
bool onward_failed_dmarc(const struct header *h, struct str authserv);

enum onward { ONWARD_GOES, ONWARD_LOOP, ONWARD_DMARC };

/* Whether it goes on for the sake of `address`.  Without `authserv` nobody is asked about
 * DMARC. */
enum onward onward_judge(const struct header *h, struct str address, struct str authserv);
/* "loop", "dmarc"; NULL: it goes on. */
const char *onward_word(enum onward o);

#endif
