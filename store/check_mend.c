/* SPDX-License-Identifier: ISC */
/*
 * check_mend - the damaged messages of a run, seen together
 *
 * Whose a damaged message is, and what stood in its recipient lines, the maildrops know.  So
 * they are all looked at once, for up to CHECK_DAMAGE_MAX messages, and what they claim is
 * kept; then each message is mended (store/message_mend.h), or named with those whose it is.
 */
#include "store/check_int.h"

#include "store/id.h"
#include "store/maildrop.h"
#include "store/message_mend.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CLAIM_OCTETS_MAX = 64 << 20, /* of all claims of a run */
	NAMED_MAX = 3,               /* of those whose a message is */
};

struct check_damage {
	unsigned volume;
	uint64_t id;
	bool aside;  /* in damaged/, to be named and left alone */
	size_t next; /* of the same id: its place in v, and 1 */
	struct message_path path;
	char why[240];
	struct message_claim *claims;
	char **texts; /* of each claim: the name, NUL, the trace */
	size_t n, cap;
};

/* ---- what is found -------------------------------------------------------------------- */

void check_damaged(struct check *c, unsigned volume, uint64_t id, const char *path,
		   bool aside, const struct err *why)
{
	struct check_damages *all = &c->damages;
	struct check_damage *d;
	uint64_t before = 0;

	/* What cannot be read now may be whole. */
	if (why->sys != 0 || all->closed || all->n == CHECK_DAMAGE_MAX) {
		check_report(c, "I8", false, "%s%s", why->text,
			     all->n == CHECK_DAMAGE_MAX
				     ? "; not looked at any further: run it again"
				     : "");
		return;
	}
	if (all->n == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 16;

		all->v = xgrow(all->v, all->cap * sizeof *all->v, cap * sizeof *all->v);
		all->cap = cap;
	}
	c->round.hold = true;
	d = &all->v[all->n++];
	idmap_get(&all->first, id, &before);
	*d = (struct check_damage){
		.volume = volume, .id = id, .aside = aside, .next = (size_t)before};
	snprintf(d->path.s, sizeof d->path.s, "%s", path);
	snprintf(d->why, sizeof d->why, "%s", why->text);
	if (id != 0)
		idmap_put(&all->first, id, all->n);
}

void check_damages_fini(struct check *c)
{
	struct check_damages *all = &c->damages;

	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = 0; k < all->v[i].n; k++)
			xfree(&all->v[i].texts[k]);
		xfree(&all->v[i].texts);
		xfree(&all->v[i].claims);
	}
	xfree(&all->v);
	idmap_fini(&all->first);
}

/* ---- claims --------------------------------------------------------------------------- */

static void grow(struct check_damage *d)
{
	size_t cap = d->cap ? d->cap * 2 : 4;

	if (d->n < d->cap)
		return;
	d->claims = xgrow(d->claims, d->cap * sizeof *d->claims, cap * sizeof *d->claims);
	d->texts = xgrow(d->texts, d->cap * sizeof *d->texts, cap * sizeof *d->texts);
	d->cap = cap;
}

static void add_claim(struct check *c, struct check_damage *d, const struct account *a,
		      const struct maildrop *m, const struct maildrop_entry *en)
{
	size_t name_n = strlen(a->name.s) + 1;
	struct retry_key key;
	struct str trace;
	char *text;

	maildrop_added(m, en, &trace, &key);
	c->damages.octets += sizeof *d->claims + name_n + trace.n;
	if (c->damages.octets > CLAIM_OCTETS_MAX) {
		c->damages.unknown = true;
		return;
	}
	grow(d);
	text = xalloc(name_n + trace.n + 1);
	memcpy(text, a->name.s, name_n);
	memcpy(text + name_n, trace.p, trace.n);
	d->texts[d->n] = text;
	d->claims[d->n++] = (struct message_claim){
		.name = text,
		.trace = text + name_n,
		.uid = a->uid,
		.slot = en->slot,
		.size = en->size,
		.stored = en->stored,
		.header_end = en->header_end,
		.key = key,
	};
}

static void claims_of(struct check *c, const struct account *a, struct maildrop *m)
{
	for (size_t i = 0; i < maildrop_count(m); i++) {
		const struct maildrop_entry *en = maildrop_entry(m, i);
		uint64_t at = 0;

		idmap_get(&c->damages.first, en->id, &at);
		while (at != 0) {
			struct check_damage *d = &c->damages.v[at - 1];

			if (d->volume == en->volume)
				add_claim(c, d, a, m, en);
			at = d->next;
		}
	}
}

static int ask_account(const struct name *name, bool *more UNUSED, void *ctx,
		       struct err *e UNUSED)
{
	struct check *c = ctx;
	struct maildrop *m = NULL;
	struct account a;
	struct err why;
	bool found;

	if (account_find(c->s, name, &a, &found, &why) < 0 ||
	    (found && maildrop_look(c->s, &a, &m, &why) < 0))
		c->damages.unknown = true;
	else if (found)
		claims_of(c, &a, m);
	maildrop_close(&m);
	return 0;
}

static int by_slot(const void *a, const void *b)
{
	uint32_t x = ((const struct message_claim *)a)->slot;
	uint32_t y = ((const struct message_claim *)b)->slot;

	return x < y ? -1 : x > y;
}

static void ask_nobody(const struct err *why UNUSED, void *ctx)
{
	((struct check *)ctx)->damages.unknown = true;
}

/* gather_claims - in the order of their slots, which is that of the recipients */
static int gather_claims(struct check *c, struct err *e)
{
	struct check_damages *all = &c->damages;

	if (all->n > 0 && tree_each(store_root(c->s), "accounts", STR("*"), ask_account,
				    ask_nobody, c, e) < 0)
		return -1;
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].n > 0)
			qsort(all->v[i].claims, all->v[i].n, sizeof *all->v[i].claims,
			      by_slot);
	return 0;
}

/* ---- whose it is ---------------------------------------------------------------------- */

struct owners {
	struct buf text;
	size_t n;
};

static void add_owner(struct owners *o, const char *name)
{
	if (o->n < NAMED_MAX)
		buf_printf(&o->text, "%s%s", o->n ? ", " : "it is of ", name);
	o->n++;
}

static bool claims_it(const struct check_damage *d, uint64_t uid)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->claims[i].uid == uid)
			return true;
	return false;
}

/* add_slots - those that hold it and that no maildrop named, as far as it can be read */
static void add_slots(struct check *c, const struct check_damage *d, struct owners *o)
{
	struct message *m;
	struct err ignored;

	if (message_open_at(c->s, d->volume, d->path.s, &m, &ignored) == 0 && m != NULL &&
	    message_info(m)->id == d->id && message_slots(m, &ignored) == 0) {
		const struct message_info *mi = message_info(m);

		for (size_t i = 0; i < mi->n_slots; i++)
			if (mi->slots[i].state == '+' && mi->slots[i].uid != 0 &&
			    !claims_it(d, mi->slots[i].uid))
				add_owner(o, mi->slots[i].name.s);
	}
	message_close(&m);
}

static void find_owners(struct check *c, const struct check_damage *d, struct owners *o)
{
	o->n = 0;
	buf_init(&o->text, NAMED_MAX * (NAME_OCTETS + 4) + 64);
	for (size_t i = 0; i < d->n; i++)
		add_owner(o, d->claims[i].name);
	add_slots(c, d, o);
	if (o->n > NAMED_MAX)
		buf_printf(&o->text, " and %zu more", o->n - NAMED_MAX);
	if (o->n == 0)
		buf_clear(&o->text);
	if (o->n == 0)
		buf_put(&o->text, c->damages.unknown ? STR("whose it is cannot be told")
						     : STR("no account has it"));
}

/* ---- each ------------------------------------------------------------------------------- */

struct question {
	struct check *c;
	uint64_t id;
};

static enum message_owner owner(const struct name *name, uint64_t uid, void *ctx)
{
	const struct question *q = ctx;
	enum maildrop_state state;
	struct account a;
	struct err ignored;
	bool found;

	if (account_find(q->c->s, name, &a, &found, &ignored) < 0 || !found ||
	    a.uid != uid)
		return MESSAGE_OWNER_NONE;
	return maildrop_state_of(q->c->s, &a, q->id, &state, &ignored) == 0 &&
			       state == MAILDROP_HAD
		       ? MESSAGE_OWNER_GONE
		       : MESSAGE_OWNER_OTHER;
}

/* mended - or *why it was not */
static bool mended(struct check *c, const struct check_damage *d, size_t *fillers,
		   struct err *why)
{
	struct question q = {c, d->id};
	struct message_claims claims = {
		.v = d->claims,
		.n = d->n,
		.complete = !c->damages.unknown,
		.owner = owner,
		.ctx = &q,
	};

	if (!check_is_settled(c, d->id)) {
		err_set(why, ERR_TEMP, "4.3.0", "it is too new to be mended");
		return false;
	}
	return message_mend(c->s, d->volume, d->id, &claims, fillers, why) == 0;
}

static void name_it(struct check *c, const struct check_damage *d, const char *more)
{
	struct owners o;

	find_owners(c, d, &o);
	check_report(c, "I8", false, "%s; %s%s", d->why, buf_cstr(&o.text), more);
	buf_fini(&o.text);
}

/* tell_aside - Recovery found it not whole, and in no maildrop: it was never synced, as far as
 * anybody can tell, and the store is sound without it.  One that a maildrop has is missing
 * there. */
static void tell_aside(struct check *c, const struct check_damage *d)
{
	static const char advice[] =
		"; it was set aside: remove it when you have looked at it";
	struct owners o;
	struct err text;

	if (d->n > 0 || c->damages.unknown) {
		name_it(c, d, advice);
		return;
	}
	find_owners(c, d, &o);
	err_set(&text, ERR_TEMP, "4.3.0", "%s; %s%s", d->why, buf_cstr(&o.text), advice);
	if (c->o->note != NULL)
		c->o->note(text.text, c->o->ctx);
	buf_fini(&o.text);
}

static int settle(struct check *c, const struct check_damage *d, struct err *e)
{
	char more[sizeof e->text + 8];
	size_t fillers = 0;
	struct err why;
	bool there = true;

	if (!d->aside && message_exists(c->s, d->volume, d->id, &there, e) < 0)
		return -1;
	if (!there)
		return 0; /* somebody took it away meanwhile */
	if (d->aside || !c->o->repair) {
		if (d->aside)
			tell_aside(c, d);
		else
			name_it(c, d, "");
		return 0;
	}
	if (!mended(c, d, &fillers, &why)) {
		snprintf(more, sizeof more, "; %s", why.text);
		name_it(c, d, strstr(d->why, why.text) ? "" : more);
		return 0;
	}
	check_report(c, "I8", true, "%s; mended%s", d->why,
		     fillers ? ", but for recipients whose lines were lost" : "");
	/* What it could not tell while it was damaged. */
	return check_message(c, d->volume, d->id, e);
}

/* left_aside - what check_places() left there; one that is whole and whose place is free was
 * named by it, if it did not move it */
static int left_aside(unsigned volume, const char *path, uint64_t name_id, void *ctx,
		      struct err *e)
{
	struct check *c = ctx;
	struct err why = {0};
	uint64_t id;
	bool taken = true;

	if (!check_is_whole(c, volume, path, &id, &why))
		id = name_id;
	else if (message_exists(c->s, volume, id, &taken, e) < 0)
		return -1;
	else
		err_set(&why, ERR_TEMP, "4.3.0",
			"%s/%s: whole, but there is another file in its place",
			storage_name(store_volume(c->s, volume)->storage), path);
	if (taken && why.class != ERR_NONE)
		check_damaged(c, volume, id, path, true, &why);
	return 0;
}

int check_mend(struct check *c, struct err *e)
{
	int rc = 0;

	/* When it was stopped, these come in the run that goes on. */
	if (!c->round.stopped &&
	    message_each_aside(c->s, left_aside, check_said, c, e) < 0)
		return -1;
	c->damages.closed = true;
	if (gather_claims(c, e) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < c->damages.n; i++)
		rc = settle(c, &c->damages.v[i], e);
	c->round.hold = rc < 0;
	return rc;
}
