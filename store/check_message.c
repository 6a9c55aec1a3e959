/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/id.h"
#include "store/maildrop.h"
#include "store/message.h"
#include "store/store_int.h"

#include <inttypes.h>

/* settled - its writer's checkpoint has passed it, so whoever should mention it does;
 * before that it is the writer's business, or recovery's */
static bool settled(struct check *c, uint64_t id)
{
	return id_unix_ms(id) < writer_checkpoint_of(store_root(c->s), id_writer(id));
}

/* still_holds - the session that removed it may have let go since we looked; in this order,
 * the maildrop first and then the slot, there is no doubt */
static bool still_holds(struct check *c, unsigned volume, uint64_t id, uint64_t uid)
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
	if (c->o->repair && maildrop_append_slot(c->s, a, volume, mi, slot, e) < 0)
		return -1;
	check_report(c, "I7", c->o->repair,
		     "message %s is held for %s, whose maildrop does not have it", id.c,
		     a->name.s);
	return 0;
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
	if (account_find(c->s, &slot->name, &a, &found, &bad) < 0)
		return 0; /* reported with the account */
	if (!found || a.uid != slot->uid) {
		if (!still_holds(c, volume, mi->id, slot->uid))
			return 0;
		if (c->o->repair &&
		    message_release(c->s, volume, mi->id, slot->uid, e) < 0)
			return -1;
		check_report(c, "I7", c->o->repair,
			     "message %s is held for %s, an account that was deleted",
			     id_print(mi->id).c, slot->name.s);
		return 0;
	}
	if (check_was_seen(c, slot->uid, mi->id))
		return 0;
	/* A damaged maildrop is reported with the account. */
	if (maildrop_state_of(c->s, &a, mi->id, &in_maildrop, &bad) < 0 ||
	    in_maildrop == MAILDROP_HAS || !still_holds(c, volume, mi->id, slot->uid))
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

static int check_whole(struct check *c, unsigned volume, struct message *m, struct err *e)
{
	const struct message_info *mi = message_info(m);
	int rc = 0;

	c->result->octets += mi->stored;
	if (!settled(c, mi->id))
		return 0;
	if (nobody_holds(mi)) {
		/* 0 is nobody's uid: no slot changes, and the file goes. */
		if (c->o->repair && message_release(c->s, volume, mi->id, 0, e) < 0)
			return -1;
		check_report(c, "I9", c->o->repair, "message %s is held for nobody",
			     id_print(mi->id).c);
		return 0;
	}
	for (size_t i = 0; rc == 0 && i < mi->n_slots; i++)
		rc = check_slot(c, volume, mi, &mi->slots[i], e);
	return rc;
}

static int check_one(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	struct check *c = ctx;
	struct message *m;
	int rc = 0;

	c->result->messages++;
	if (c->o->progress != NULL)
		c->o->progress(c->result->accounts, c->result->messages, c->o->ctx);
	if (message_open(c->s, volume, id, &m, e) < 0 ||
	    (m != NULL &&
	     (message_slots(m, e) < 0 || (!c->o->quick && message_verify(m, e) < 0))))
		check_report(c, "I8", false, "%s", e->text);
	else if (m != NULL)
		rc = check_whole(c, volume, m, e);
	message_close(&m);
	return rc;
}

int check_messages(struct check *c, struct err *e)
{
	return message_each(c->s, 0, UINT64_MAX, check_one, c, e);
}
