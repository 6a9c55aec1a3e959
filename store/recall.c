/* SPDX-License-Identifier: ISC */
#include "store/recall.h"

#include "store/id.h"

struct recall_drop {
	struct idmap states; /* id -> enum maildrop_state */
	bool rebuilt;
	struct err why; /* .class not ERR_NONE: it could not be read */
};

void recall_init(struct recall *r, struct store *s, const struct writer_state *writer,
		 bool after_power_cut)
{
	*r = (struct recall){
		.s = s, .writer = writer, .after_power_cut = after_power_cut};
}

void recall_fini(struct recall *r)
{
	for (size_t i = 0; i < r->n; i++)
		idmap_fini(&r->drops[i].states);
	xfree(&r->drops);
	idmap_fini(&r->places);
	*r = (struct recall){0};
}

static struct recall_drop *drop_of(const struct recall *r, const struct account *a)
{
	uint64_t at;

	return idmap_get(&r->places, a->uid, &at) ? &r->drops[at] : NULL;
}

struct taking {
	struct recall_drop *drop;
	const struct writer_state *writer;
};

static void take(uint64_t id, enum maildrop_state state, void *ctx)
{
	struct taking *t = ctx;

	if (id_writer(id) == t->writer->number &&
	    id_unix_ms(id) >= t->writer->checkpoint_ms &&
	    id_unix_ms(id) <= t->writer->until_ms)
		idmap_put(&t->drop->states, id, state);
}

/* look - a hole that a power cut left is no damage */
static int look(struct recall *r, const struct account *a, struct maildrop **m,
		struct err *e)
{
	struct err why;
	bool cut;

	if (maildrop_look(r->s, a, m, e) == 0)
		return 0;
	if (e->sys != 0 || !r->after_power_cut ||
	    maildrop_cut_hole(r->s, a, r->writer->number, &cut, &why) < 0 || !cut)
		return -1;
	return maildrop_look(r->s, a, m, e);
}

static struct recall_drop *read_drop(struct recall *r, const struct account *a)
{
	struct recall_drop *drop;
	struct maildrop *m;

	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;

		r->drops = xgrow(r->drops, r->cap * sizeof *drop, cap * sizeof *drop);
		r->cap = cap;
	}
	drop = &r->drops[r->n];
	*drop = (struct recall_drop){0};
	idmap_put(&r->places, a->uid, r->n++);
	if (look(r, a, &m, &drop->why) < 0)
		return drop;
	drop->why = (struct err){0};
	drop->rebuilt = maildrop_is_rebuilt(m);
	maildrop_each_state(m, take, &(struct taking){drop, r->writer});
	maildrop_close(&m);
	return drop;
}

int recall_state(struct recall *r, const struct account *a, uint64_t id,
		 enum maildrop_state *out, struct err *e)
{
	struct recall_drop *drop = drop_of(r, a);
	uint64_t state;

	if (drop == NULL)
		drop = read_drop(r, a);
	*out = drop->rebuilt ? MAILDROP_MAY_HAVE_HAD : MAILDROP_NEVER_HAD;
	if (drop->why.class != ERR_NONE) {
		*e = drop->why;
		return -1;
	}
	if (idmap_get(&drop->states, id, &state))
		*out = (enum maildrop_state)state;
	return 0;
}

void recall_added(struct recall *r, const struct account *a, uint64_t id)
{
	struct recall_drop *drop = drop_of(r, a);

	if (drop != NULL)
		idmap_put(&drop->states, id, MAILDROP_HAS);
}
