/* SPDX-License-Identifier: ISC */
/*
 * recover - what a start after a crash does (P12)
 *
 * Only message files between a dead writer's checkpoint and the end of its
 * reserved ids are looked at.  For each slot that still holds:
 *
 *   the account is gone, or of another incarnation    release the slot
 *   its maildrop mentions the message                 nothing to do
 *   it does not, and a power cut may lie between      append the line: it may have
 *                                                     been promised and lost
 *   it does not, and this is still the mount in which release the slot: lines are
 *   the writer lived                                  written before the 250, and none
 *                                                     was lost, so nobody was promised
 *
 * A file that is not a whole message was never synced, so nobody was promised it
 * either; it is set aside for the operator to look at (an empty one is removed).
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
	bool found, mentioned;

	if (slot->state == '-')
		return 0;
	if (account_find(r->s, &slot->name, &a, &found, e) < 0)
		return -1;
	if (found && a.uid == slot->uid) {
		if (maildrop_mentions(r->s, &a, mi->id, &mentioned, e) < 0)
			return -1;
		if (mentioned)
			return 0;
		if (!r->same_mount) {
			r->out->added++;
			return maildrop_append_slot(r->s, &a, volume, mi, slot, e);
		}
	}
	return message_release(r->s, volume, mi->id, slot->uid, e);
}

static int recover_message(struct recovery *r, unsigned volume, struct message *m,
			   struct err *e)
{
	const struct message_info *mi = message_info(m);

	for (size_t i = 0; i < mi->n_slots; i++)
		if (recover_slot(r, mi, volume, &mi->slots[i], e) < 0)
			return -1;
	return 0;
}

static int recover_one(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	struct recovery *r = ctx;
	struct message *m;
	bool there = false;
	int rc;

	if (id_writer(id) != r->writer->number)
		return 0;
	r->out->messages++;
	if (message_open(r->s, volume, id, &m, e) < 0 ||
	    (m != NULL && (message_slots(m, e) < 0 || message_verify(m, e) < 0))) {
		message_close(&m);
		r->out->removed++;
		return message_set_aside(r->s, volume, id, e);
	}
	if (m == NULL)
		return 0;
	rc = recover_message(r, volume, m, e);
	message_close(&m);
	if (rc == 0)
		rc = message_exists(r->s, volume, id, &there, e);
	if (rc == 0 && !there)
		r->out->removed++;
	/* A damaged maildrop must not keep the mail of others from them. */
	if (rc < 0) {
		r->out->failed++;
		r->out->why = *e;
	}
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
