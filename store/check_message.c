/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/id.h"
#include "store/maildrop.h"
#include "store/message.h"
#include "store/store_int.h"

#include <inttypes.h>

/* Before that it is the writer's business, or recovery's. */
bool check_is_settled(const struct check *c, uint64_t id)
{
	return writer_has_settled(store_root(c->s), id);
}

bool check_still_holds(struct check *c, unsigned volume, uint64_t id, uint64_t uid)
{
	struct message *m;
	struct err e;
	bool holds = false;

	if (message_open(c->s, volume, id, &m, &e) == 0 && m != NULL &&
	    message_slots(m, &e) == 0) {
		const struct message_info *mi = message_info(m);

		for (size_t i = 0; i < mi->n_slots; i++)
			holds = holds ||
				(mi->slots[i].uid == uid && mi->slots[i].state == '+');
	}
	message_close(&m);
	return holds;
}

/* bring_home - the line that was lost, unless it came home before as a retry */
static int bring_home(struct check *c, const struct account *a, unsigned volume,
		      const struct message_info *mi, const struct message_slot *slot,
		      struct err *e)
{
	uint64_t first;

	if (maildrop_append_slot(c->s, a, volume, mi, slot, &first, e) < 0)
		return -1;
	return first != 0 ? message_release(c->s, volume, mi->id, a->uid, e) : 0;
}

/* mend_slot - a slot holds and the maildrop does not have the message.  If it says that it
 * was removed, the slot was not let go; if it knows nothing, a line was lost, since it
 * forgets only what was let go. */
static int mend_slot(struct check *c, const struct account *a, unsigned volume,
		     const struct message_info *mi, const struct message_slot *slot,
		     enum maildrop_state state, struct err *e)
{
	struct id_text id = id_print(mi->id);

	if (state == MAILDROP_HAD) {
		if (c->o->repair && message_release(c->s, volume, mi->id, a->uid, e) < 0)
			return -1;
		check_report(c, "I7", c->o->repair,
			     "message %s is still held for %s, who removed it", id.c,
			     a->name.s);
		return 0;
	}
	if (c->o->repair && bring_home(c, a, volume, mi, slot, e) < 0)
		return -1;
	check_report(c, "I7", c->o->repair,
		     "message %s is held for %s, whose maildrop does not have it", id.c,
		     a->name.s);
	return 0;
}

/* owner_of - *found is false where there is none, and all has been said about it */
static int owner_of(struct check *c, unsigned volume, const struct message_info *mi,
		    const struct message_slot *slot, struct account *a, bool *found,
		    struct err *e)
{
	if (account_find(c->s, &slot->name, a, found, e) == 0 && *found &&
	    a->uid == slot->uid)
		return 0;
	return check_unowned(c, volume, mi, slot, a, found, e);
}

static int check_slot(struct check *c, unsigned volume, const struct message_info *mi,
		      const struct message_slot *slot, struct err *e)
{
	struct account a;
	enum maildrop_state in_maildrop;
	struct err bad;
	bool found;

	if (slot->state != '+')
		return 0;
	if (owner_of(c, volume, mi, slot, &a, &found, e) < 0)
		return -1;
	if (!found || seen_has(&c->seen, c->s, &a, mi->id))
		return 0;
	/* A damaged maildrop is reported with the account. */
	if (maildrop_state_of(c->s, &a, mi->id, &in_maildrop, &bad) < 0 ||
	    in_maildrop == MAILDROP_HAS ||
	    !check_still_holds(c, volume, mi->id, slot->uid))
		return 0;
	return mend_slot(c, &a, volume, mi, slot, in_maildrop, e);
}

static bool nobody_holds(const struct message_info *mi)
{
	for (size_t i = 0; i < mi->n_slots; i++)
		if (mi->slots[i].state == '+')
			return false;
	return true;
}

/* may_want - the maildrop has it, or nobody can tell now */
static bool may_want(struct check *c, const struct message_slot *slot, uint64_t id)
{
	enum maildrop_state state;
	struct account a;
	struct err ignored;
	bool found;

	if (account_find(c->s, &slot->name, &a, &found, &ignored) < 0)
		return true;
	if (!found || a.uid != slot->uid)
		return false;
	return maildrop_state_of(c->s, &a, id, &state, &ignored) < 0 ||
	       state == MAILDROP_HAS;
}

/* check_unheld - no checksum covers the states: that nobody holds it proves nothing against
 * a maildrop that has it */
static int check_unheld(struct check *c, unsigned volume, const struct message_info *mi,
			struct err *e)
{
	struct id_text id = id_print(mi->id);

	for (size_t i = 0; i < mi->n_slots; i++) {
		if (!may_want(c, &mi->slots[i], mi->id))
			continue;
		check_report(c, "I9", false,
			     "message %s is held for nobody, but %s may have it", id.c,
			     mi->slots[i].name.s);
		return 0;
	}
	/* 0 is nobody's uid: no slot changes, and the file goes. */
	if (c->o->repair && message_release(c->s, volume, mi->id, 0, e) < 0)
		return -1;
	check_report(c, "I9", c->o->repair, "message %s is held for nobody", id.c);
	return 0;
}

/* check_filler - stands for a recipient whose line was lost to damage; it is never let go
 * unless somebody says so */
static int check_filler(struct check *c, unsigned volume, const struct message_info *mi,
			struct err *e)
{
	bool let_go = c->o->repair && c->o->release_unowned;

	if (let_go && message_release(c->s, volume, mi->id, 0, e) < 0)
		return -1;
	check_report(c, "I7", let_go,
		     "message %s is held for a recipient whose line was lost; 'popstore "
		     "check --repair --release-unowned' lets go of it",
		     id_print(mi->id).c);
	return 0;
}

static int check_whole(struct check *c, unsigned volume, struct message *m, struct err *e)
{
	const struct message_info *mi = message_info(m);
	int rc = 0;

	c->result->octets += mi->stored;
	if (!check_is_settled(c, mi->id))
		return 0;
	if (nobody_holds(mi))
		return check_unheld(c, volume, mi, e);
	for (size_t i = 0; rc == 0 && i < mi->n_slots; i++) {
		if (mi->slots[i].uid != 0)
			rc = check_slot(c, volume, mi, &mi->slots[i], e);
		else if (mi->slots[i].state == '+')
			rc = check_filler(c, volume, mi, e);
	}
	return rc;
}

bool check_is_whole(struct check *c, unsigned volume, const char *path, uint64_t *id,
		    struct err *e)
{
	struct message *m;
	bool whole = message_open_at(c->s, volume, path, &m, e) == 0 && m != NULL &&
		     message_slots(m, e) == 0 && message_verify(m, e) == 0;

	*id = whole ? message_info(m)->id : 0;
	message_close(&m);
	return whole;
}

int check_message(struct check *c, unsigned volume, uint64_t id, struct err *e)
{
	struct message *m;
	int rc = 0;

	if (message_open(c->s, volume, id, &m, e) < 0 ||
	    (m != NULL &&
	     (message_slots(m, e) < 0 || (!c->o->quick && message_verify(m, e) < 0))))
		check_damaged(c, volume, id, message_path(id).s, false, e);
	else if (m != NULL)
		rc = check_whole(c, volume, m, e);
	message_close(&m);
	return rc;
}

static int check_one(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	struct check *c = ctx;

	c->result->messages++;
	return check_message(c, volume, id, e);
}

int check_messages(struct check *c, struct err *e)
{
	return round_messages(&c->round, check_one, c, e);
}
