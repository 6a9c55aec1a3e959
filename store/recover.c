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
 *   or the maildrop was damaged once                  been promised and lost
 *   it knows nothing, and this is still the mount in  release the slot: lines are
 *   which the writer lived                            written before the 250, and none
 *                                                     was lost, so nobody was promised
 *
 * A file that is not a whole message was never synced, so nobody was promised it
 * either; it is set aside for the operator to look at (an empty one is removed).  But
 * one that a maildrop has was whole once: that is damage, and it stays.
 * One that cannot be read now may be whole: it stays, and so does the writer's
 * record, until a later run can read it.
 */
#include "store/store.h"

#include "store/account.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/message.h"
#include "store/store_int.h"

#include <string.h>

struct recovery {
	struct store *s;
	const struct writer_state *writer;
	bool same_mount; /* nothing that was written can have been lost */
	struct store_recovery *out;
};

static int recover_slot(struct recovery *r, const struct message_info *mi,
			unsigned volume, const struct message_slot *slot, struct err *e)
{
	struct account a;
	enum maildrop_state state;
	bool found;

	if (slot->state == '-')
		return 0;
	if (account_find(r->s, &slot->name, &a, &found, e) < 0)
		return -1;
	if (found && a.uid == slot->uid) {
		if (maildrop_state_of(r->s, &a, mi->id, &state, e) < 0)
			return -1;
		if (state == MAILDROP_HAS)
			return 0;
		if (state == MAILDROP_MAY_HAVE_HAD ||
		    (state == MAILDROP_NEVER_HAD && !r->same_mount)) {
			if (maildrop_append_slot(r->s, &a, volume, mi, slot, e) < 0)
				return -1;
			r->out->added++;
			return 0;
		}
	}
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
	struct err e;

	for (size_t i = 0; i < mi->n_slots; i++)
		if (recover_slot(r, mi, volume, &mi->slots[i], &e) < 0)
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
	return is_in_a_maildrop(r, m) ? 0 : message_set_aside(r->s, volume, id, e);
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

static int recover_writer(const struct writer_state *w, bool *clean, void *ctx,
			  struct err *e)
{
	struct recovery *r = ctx;
	const char *mount = storage_mount_identity(r->s->root);

	uint64_t failed = r->out->failed;

	r->writer = w;
	r->same_mount = w->mount[0] != '\0' && strcmp(w->mount, mount) == 0;
	r->out->writers++;
	if (message_each(r->s, w->checkpoint_ms, w->until_ms, recover_one, r, e) < 0)
		return -1;
	/* What was appended must be durable before the writer counts as clean. */
	if (storage_sync(r->s->root, e) < 0)
		return -1;
	*clean = r->out->failed == failed;
	return 0;
}

int store_recover(struct store *s, struct store_recovery *out, struct err *e)
{
	struct recovery r = {.s = s, .out = out};

	*out = (struct store_recovery){0};
	return writer_each_dead(s->root, recover_writer, &r, e);
}
