/* SPDX-License-Identifier: ISC */
/*
 * recover - what a start after a crash does (P12)
 *
 * Only message files between a dead writer's checkpoint and the end of its
 * reserved ids are looked at.  For each slot that still holds:
 *
 *   the account is gone, or of another incarnation    release the slot
 *   its maildrop has the message                      nothing to do
 *   its maildrop says that it was removed             release the slot
 *   it knows nothing, and a power cut may lie between append the line: it may have
 *   or the maildrop was damaged once                  been promised and lost; but release
 *                                                     the slot of a retry (store/retry.h)
 *   it knows nothing, and this is still the mount in  release the slot: lines are
 *   which the writer lived, and no sync of the root   written before the 250, and none
 *   failed in it                                      was lost, so nobody was promised
 *
 * After such a failure a line that is there may be so in the cache alone, and one that is
 * appended may share its fate: so each maildrop is made a new file before.
 *
 * Of a writer whose record is damaged or lost every message is looked at, and nobody knows
 * which are old.  The account of an old one may be lost, too, and the file damaged: so no slot
 * is released where there is no such account, and no file set aside; check sees to both (I7, I8).
 *
 * A file that is not a whole message was never synced, so nobody was promised it
 * either; it is set aside for the operator to look at (an empty one is removed).  But
 * one that a maildrop has was whole once: that is damage, and it stays.
 * One that cannot be read now may be whole: it stays, and so does the writer's
 * record, until a later run can read it, or finds the volume that is away now.
 */
#include "store/store.h"

#include "store/account.h"
#include "store/id.h"
#include "store/idmap.h"
#include "store/maildrop.h"
#include "store/message.h"
#include "store/recall.h"
#include "store/standing.h"
#include "store/store_int.h"

#include <string.h>

struct recovery {
	struct store *s;
	const struct writer_state *writer;
	bool all;        /* nobody knows its checkpoint: its messages may be old */
	bool same_mount; /* nothing that was written can have been lost */
	bool doubted; /* a sync of the root failed: the cache may show what the disk has not */
	struct idmap renewed; /* uids of accounts whose maildrop is on the disk */
	struct recall recall; /* of this writer's messages */
	bool released;        /* slots of them */
	struct store_recovery *out;
};

/* renew - once, and only where the cache is not to be believed */
static int renew(struct recovery *r, const struct account *a, struct err *e)
{
	uint64_t ignored;

	if (!r->doubted || idmap_get(&r->renewed, a->uid, &ignored))
		return 0;
	if (maildrop_renew(r->s, a, e) < 0)
		return -1;
	idmap_put(&r->renewed, a->uid, 0);
	return 0;
}

static int recover_slot(struct recovery *r, const struct message_info *mi,
			unsigned volume, const struct message_slot *slot, struct err *e)
{
	struct account a;
	enum maildrop_state state;
	uint64_t first;
	bool found;

	/* uid 0: a line that repair put where one was lost. */
	if (slot->state == '-' || slot->uid == 0)
		return 0;
	if (account_find(r->s, &slot->name, &a, &found, e) < 0)
		return -1;
	if (found && a.uid == slot->uid) {
		if (renew(r, &a, e) < 0 ||
		    recall_state(&r->recall, &a, mi->id, &state, e) < 0)
			return -1;
		if (state == MAILDROP_HAS)
			return 0;
		if (state == MAILDROP_MAY_HAVE_HAD ||
		    (state == MAILDROP_NEVER_HAD && !r->same_mount)) {
			if (maildrop_append_slot(r->s, &a, volume, mi, slot, &first, e) <
			    0)
				return -1;
			if (first == 0) {
				recall_added(&r->recall, &a, mi->id);
				r->out->added++;
				return 0;
			}
		}
	} else if (r->all) {
		return 0;
	}
	r->released = true;
	return message_release(r->s, volume, mi->id, slot->uid, e);
}

static void not_now(struct recovery *r, const struct err *why)
{
	r->out->failed++;
	r->out->why = *why;
}

/* A maildrop or account that is damaged must not keep the mail of others from them. */
static void recover_message(struct recovery *r, unsigned volume, struct message *m)
{
	const struct message_info *mi = message_info(m);
	bool held = false;
	struct err e;

	for (size_t i = 0; i < mi->n_slots; i++) {
		held = held || mi->slots[i].state == '+';
		if (recover_slot(r, mi, volume, &mi->slots[i], &e) < 0)
			not_now(r, &e);
	}
	/* Who let the last slot go died before it removed the file; of an old one check asks
	 * more.  0 is nobody's uid. */
	if (!held && !r->all && message_release(r->s, volume, mi->id, 0, &e) < 0)
		not_now(r, &e);
}

/* is_in_a_maildrop - as far as the file still tells whose it is */
static bool is_in_a_maildrop(struct recovery *r, const struct message *m)
{
	const struct message_info *mi = m ? message_info(m) : NULL;
	bool has = false;

	for (size_t i = 0; mi != NULL && mi->slots != NULL && i < mi->n_slots; i++) {
		struct account a = {.name = mi->slots[i].name, .uid = mi->slots[i].uid};
		enum maildrop_state state;
		struct err e;

		has = has || maildrop_state_of(r->s, &a, mi->id, &state, &e) < 0 ||
		      state == MAILDROP_HAS;
	}
	return has;
}

/* not_whole - a file that could be read and is no message, or one that could not */
static int not_whole(struct recovery *r, unsigned volume, uint64_t id,
		     const struct message *m, const struct err *why, struct err *e)
{
	if (why->sys != 0) {
		not_now(r, why);
		return 0;
	}
	r->out->damaged++;
	r->out->damage = *why;
	return r->all || is_in_a_maildrop(r, m) ? 0
						: message_set_aside(r->s, volume, id, e);
}

static int recover_one(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	struct recovery *r = ctx;
	struct message *m;
	struct err why;
	bool there = false;

	if (id_writer(id) != r->writer->number)
		return 0;
	r->out->messages++;
	if (message_open(r->s, volume, id, &m, &why) < 0 ||
	    (m != NULL && (message_slots(m, &why) < 0 || message_verify(m, &why) < 0))) {
		int rc = not_whole(r, volume, id, m, &why, e);

		message_close(&m);
		return rc;
	}
	if (m == NULL)
		return 0;
	recover_message(r, volume, m);
	message_close(&m);
	if (message_exists(r->s, volume, id, &there, e) < 0)
		return -1;
	r->out->removed += !there;
	return 0;
}

/* look_at_mount - is it the one that the writer lived in, and did no sync of it fail?  A
 * failure that nobody heard of yet is told by the next sync, which is this; and a message
 * file that is there stays there from now on, before a line says so. */
static int look_at_mount(struct recovery *r, struct err *e)
{
	const char *now = storage_mount_identity(r->s->root), *then = r->writer->mount;

	if (storage_sync(r->s->root, e) < 0 || store_sync_volumes(r->s, e) < 0 ||
	    store_root_stopped(r->s, &r->doubted, e) < 0)
		return -1;
	r->same_mount = !r->doubted && then[0] != '\0' && strcmp(then, now) == 0;
	return 0;
}

/* look_for_volumes - what lies on one that is away cannot be brought home */
static int look_for_volumes(struct recovery *r, struct err *e)
{
	struct err why;
	bool whole;

	if (store_is_whole(r->s, &whole, e) < 0)
		return -1;
	err_set(&why, ERR_TEMP, "4.3.5",
		"a volume is not in the configuration: mail on it may be missing from "
		"maildrops until it is");
	if (!whole)
		not_now(r, &why);
	return 0;
}

static int recover_writer(const struct writer_state *w, bool *clean, void *ctx,
			  struct err *e)
{
	struct recovery *r = ctx;
	uint64_t failed = r->out->failed;

	r->released = false;
	r->writer = w;
	r->all = w->checkpoint_ms == 0;
	r->out->writers++;
	if (look_at_mount(r, e) < 0 || look_for_volumes(r, e) < 0)
		return -1;
	recall_init(&r->recall, r->s, w, !r->same_mount);

	int rc = message_each(r->s, w->checkpoint_ms, w->until_ms, recover_one, r, e);

	recall_fini(&r->recall);
	if (rc < 0)
		return -1;
	/* What was appended must be durable before the writer counts as clean, and what was
	 * released: a slot that holds again after a power cut would look like a lost line. */
	if (storage_sync(r->s->root, e) < 0)
		return -1;
	if (r->released && store_sync_volumes(r->s, e) < 0)
		not_now(r, e);
	*clean = r->out->failed == failed;
	return 0;
}

int store_recover(struct store *s, struct store_recovery *out, struct err *e)
{
	struct recovery r = {.s = s, .out = out};
	int rc;

	*out = (struct store_recovery){0};
	rc = writer_each_dead(s->root, recover_writer, &r, e);
	idmap_fini(&r.renewed);
	return rc;
}
