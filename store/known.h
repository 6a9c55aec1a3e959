/* SPDX-License-Identifier: ISC */
/*
 * known - records that are asked for again and again, kept as long as they are the same
 *
 * A store has few domains, and each RCPT and each login asks for one; and it has accounts that
 * get more mail than others.  What was read of them is kept here, and proved by one stat(2)
 * each time (storage_stamp()); a change is seen by the next who asks.  Where there are no
 * stamps, it is read each time.
 *
 * Owns:    as many texts as it has places; two paths that fall to one place take turns.
 * Limits:  what is longer than KNOWN_OCTETS is not kept.
 * Threads: any.
 * Tests:   t/unit/store/known.c
 */
#ifndef KNOWN_H
#define KNOWN_H

#include "store/storage.h"

enum { KNOWN_OCTETS = 1024 };

struct known;

struct known *known_new(size_t places);
void known_free(struct known **k);

/* As storage_read(). */
int known_read(struct known *k, struct storage *st, const char *path, struct buf *out,
	       bool *found, struct err *e) MUST_USE;

#endif
