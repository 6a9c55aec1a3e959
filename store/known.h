/* SPDX-License-Identifier: ISC */
/*
 * known - records that are asked for again and again, kept as long as they are the same
 *
 * A store has few domains, and each RCPT and each login asks for one; and it has accounts that
 * get more mail than others.  What was read and parsed of them is kept here, and proved by one
 * stat(2) each time (storage_stamp()); a change is seen by the next who asks.  Where there are
 * no stamps, it is read each time.
 *
 * Owns:    as many values as it has places; two names that fall to one place take turns.
 * Threads: any.
 * Tests:   t/unit/store/known.c
 */
#ifndef KNOWN_H
#define KNOWN_H

#include "store/name.h"
#include "store/storage.h"

/* Makes of a record's text what is kept of it, which points to nothing that would go; -1: it is
 * damaged, and is read again the next time. */
typedef int known_parse(struct str text, const struct name *name, const char *path,
			void *out, struct err *e);

struct known;

/* `octets` is how large what `parse` makes is.  It begins with a struct name, that of the
 * record, which is not kept: most of it would be room. */
struct known *known_new(size_t places, size_t octets, known_parse *parse);
void known_free(struct known **k);

/* The record of `name`, which is at `path`. */
int known_find(struct known *k, struct storage *st, const struct name *name,
	       const char *path, void *out, bool *found, struct err *e) MUST_USE;

#endif
