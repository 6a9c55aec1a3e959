/* SPDX-License-Identifier: ISC */
#include "store/check_missing.h"

#include "store/id.h"
#include "store/message.h"
#include "store/store_int.h"

#include <stdio.h>

void missing_add(struct missing *x, const struct maildrop_entry *en)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 16;

		x->v = xgrow(x->v, x->cap * sizeof *x->v, cap * sizeof *x->v);
		x->cap = cap;
	}
	x->v[x->n++] = *en;
}

void missing_free(struct missing *x)
{
	xfree(&x->v);
	*x = (struct missing){0};
}

/* drop_removed - the session that removed it may have ended since we looked */
static void drop_removed(struct check *c, const struct account *a, struct missing *x)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->n; i++) {
		enum maildrop_state state;
		struct err e;

		if (maildrop_state_of(c->s, a, x->v[i].id, &state, &e) == 0 &&
		    state == MAILDROP_HAS)
			x->v[kept++] = x->v[i];
	}
	x->n = kept;
}

static struct message_path aside_path(uint64_t id)
{
	struct message_path p;

	snprintf(p.s, sizeof p.s, "damaged/%s", id_print(id).c);
	return p;
}

/* set_aside - the volume where it was; or NULL */
static const struct volume *set_aside(struct check *c, uint64_t id)
{
	const struct message_path path = aside_path(id);
	struct err e;
	bool there;

	for (size_t i = 0; i < c->s->n_volumes; i++)
		if (storage_exists(c->s->volumes[i].storage, path.s, &there, &e) == 0 &&
		    there)
			return &c->s->volumes[i];
	return NULL;
}

/* elsewhere - on another volume than its line says */
static const struct volume *elsewhere(struct check *c, uint64_t id)
{
	struct err e;
	bool there;

	for (size_t i = 0; i < c->s->n_volumes; i++)
		if (message_exists(c->s, c->s->volumes[i].number, id, &there, &e) == 0 &&
		    there)
			return &c->s->volumes[i];
	return NULL;
}

/* cannot_tell - a volume that cannot be read may have it */
static bool cannot_tell(struct check *c, uint64_t id)
{
	const struct message_path aside = aside_path(id);
	struct err e;
	bool there;

	for (size_t i = 0; i < c->s->n_volumes; i++) {
		const struct volume *v = &c->s->volumes[i];

		if (message_exists(c->s, v->number, id, &there, &e) < 0 ||
		    storage_exists(v->storage, aside.s, &there, &e) < 0)
			return true;
	}
	return false;
}

/* is_damaged_elsewhere - without this line nobody would know whose it is */
static bool is_damaged_elsewhere(struct check *c, uint64_t id)
{
	const struct volume *v = elsewhere(c, id);
	struct err e;
	uint64_t is;

	return v != NULL && !check_is_whole(c, v->number, message_path(id).s, &is, &e);
}

/* may_come_back - of itself, so that the maildrop has to keep its line */
static bool may_come_back(struct check *c, const struct missing *x)
{
	struct err e;
	bool whole;

	if (c->misplaced || store_is_whole(c->s, &whole, &e) < 0 || !whole)
		return true;
	for (size_t i = 0; i < x->n; i++)
		if (set_aside(c, x->v[i].id) != NULL || cannot_tell(c, x->v[i].id) ||
		    is_damaged_elsewhere(c, x->v[i].id))
			return true;
	return false;
}

static void name_one(struct check *c, const struct account *a,
		     const struct maildrop_entry *en, bool mended, const char *why)
{
	const struct volume *aside = set_aside(c, en->id), *other = elsewhere(c, en->id);
	struct id_text id = id_print(en->id);

	if (aside != NULL)
		check_report(c, "I6", false,
			     "%s: message %s is set aside as %s/damaged/%s; put it back "
			     "to its place when it is whole, or remove it there",
			     a->name.s, id.c, storage_name(aside->storage), id.c);
	else if (other != NULL)
		check_report(c, "I6", mended,
			     "%s: message %s is on volume %u, not on volume %u%s%s",
			     a->name.s, id.c, other->number, en->volume,
			     why[0] ? "; " : "", why);
	else
		check_report(c, "I6", mended, "%s: message %s is gone (volume %u)%s%s",
			     a->name.s, id.c, en->volume,
			     mended ? "; the maildrop is without it until its file comes "
				      "back"
			     : why[0] ? "; "
				      : "",
			     mended ? "" : why);
}

void missing_report(struct check *c, const struct account *a, struct missing *x)
{
	struct err why = {0};
	uint64_t lost;
	bool mended = false;

	drop_removed(c, a, x);
	if (x->n == 0)
		return;
	if (c->o->repair && may_come_back(c, x))
		err_set(&why, ERR_TEMP, "4.3.0",
			"left alone while a volume is away or cannot be read, or a message "
			"is set aside or damaged");
	else if (c->o->repair)
		mended = maildrop_rebuild(c->s, a, &lost, &why) == 0;
	for (size_t i = 0; i < x->n; i++)
		name_one(c, a, &x->v[i], mended, mended ? "" : why.text);
}
