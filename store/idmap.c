/* SPDX-License-Identifier: ISC */
#include "store/idmap.h"

static struct idmap_cell *cell_of(const struct idmap *m, uint64_t id)
{
	size_t at = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (m->size - 1);

	while (m->cells[at].id != 0 && m->cells[at].id != id)
		at = (at + 1) & (m->size - 1);
	return &m->cells[at];
}

static void grow(struct idmap *m)
{
	struct idmap old = *m;

	m->size = old.size ? old.size * 2 : 64;
	m->cells = xalloc(m->size * sizeof *m->cells);
	for (size_t i = 0; i < old.size; i++)
		if (old.cells[i].id != 0)
			*cell_of(m, old.cells[i].id) = old.cells[i];
	xfree(&old.cells);
}

void idmap_put(struct idmap *m, uint64_t id, uint64_t value)
{
	struct idmap_cell *c;

	must(id != 0);
	if (m->used * 2 >= m->size)
		grow(m);
	c = cell_of(m, id);
	m->used += c->id == 0;
	*c = (struct idmap_cell){id, value};
}

bool idmap_get(const struct idmap *m, uint64_t id, uint64_t *value)
{
	const struct idmap_cell *c;

	if (m->size == 0 || id == 0)
		return false;
	c = cell_of(m, id);
	*value = c->value;
	return c->id == id;
}

void idmap_fini(struct idmap *m)
{
	xfree(&m->cells);
	*m = (struct idmap){0};
}
