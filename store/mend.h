/* SPDX-License-Identifier: ISC */
/*
 * mend - one octet that was changed, found again by the checksum over it
 *
 * A text with a checksum in it that does not match is tried with each of its octets
 * replaced by each other value, until it is whole.  With a checksum of 64 bits a wrong answer
 * is as likely as guessing the sum in some 100,000 tries: what comes out is proved.
 * It is for repair: a record or a header takes milliseconds.
 *
 * Limits: MEND_MAX octets; longer texts are left alone.
 * Tests:  t/unit/store/mend.c
 */
#ifndef MEND_H
#define MEND_H

#include "lib/str.h"

#include <stdint.h>

enum { MEND_MAX = 4096 };

/* True when `text` is whole now, and at most one octet of it was changed for that; otherwise
 * it is as it was. */
bool mend_octet(char *text, size_t n, bool (*whole)(struct str text, void *ctx),
		void *ctx);

#endif
