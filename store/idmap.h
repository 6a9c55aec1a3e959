/* SPDX-License-Identifier: ISC */
/*
 * idmap - from an id to a number, in memory
 *
 * Open addressing, doubling; ids are never 0.  A removed id keeps its place, which
 * is fine for maps that live as long as one reading of a file.
 *
 * Owns:  its cells; {0} is an empty map, idmap_fini() ends it.
 * Tests: t/unit/store/idmap.c
 */
#ifndef IDMAP_H
#define IDMAP_H

#include "lib/base.h"

struct idmap_cell {
	uint64_t id, value;
};

struct idmap {
	struct idmap_cell *cells;
	size_t size, used;
};

void idmap_put(struct idmap *m, uint64_t id, uint64_t value);
bool idmap_get(const struct idmap *m, uint64_t id, uint64_t *value);
void idmap_fini(struct idmap *m);

#endif
