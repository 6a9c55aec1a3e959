/* SPDX-License-Identifier: ISC */
/*
 * dump - all that a store holds, as its users see it: keys and values
 *
 *   domain example.org                        delimiters, alias
 *   account alice@example.org                 flags, quota, incarnation
 *   secret alice@example.org                  the hash
 *   script alice@example.org main             text, whether it is active
 *   active alice@example.org                  text of the active script
 *   forwarding sales@example.org              targets
 *   mail alice@example.org letter.300         id, size, whether the octets are right
 *   read alice@example.org letter.300         if it was retrieved before
 *
 * Ids that were made after world_base() are printed as "new": which ones they are is chance.
 *
 * Owns: its lines.  Ends: dump_free().
 */
#ifndef FAULT_DUMP_H
#define FAULT_DUMP_H

#include "lib/str.h"

struct world;

struct dump_line {
	char *key, *value;
};

struct dump {
	struct dump_line *v; /* by key */
	size_t n, cap;
};

/* Of an open store; what cannot be read is a line that says why. */
void dump_of(struct world *w, struct dump *out);
void dump_free(struct dump *d);
const char *dump_get(const struct dump *d, const char *key); /* NULL: not there */

#endif
