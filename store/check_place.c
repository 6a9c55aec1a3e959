/* SPDX-License-Identifier: ISC */
/*
 * check_place - message files that are not where they belong
 *
 * A message is known by what its head says; if that is damaged, by its name.  It belongs at
 * the one place of its id.  If something else is there, it is set aside in damaged/ until
 * its place is free: of two files that were exchanged, the first one makes room for the
 * second.  Names that are none of ours, of files that are no messages, are left alone and
 * not named: people put things next to their data, and nobody is ever sent one.
 */
#include "store/check_int.h"

#include "store/id.h"
#include "store/message.h"
#include "store/store_int.h"

static const char *volume_name(struct check *c, unsigned volume)
{
	return storage_name(store_volume(c->s, volume)->storage);
}

static void tell(struct check *c, unsigned volume, const char *path, uint64_t id,
		 bool repaired, const char *more)
{
	check_report(c, "I8", repaired, "%s/%s: is message %s in the wrong place%s",
		     volume_name(c, volume), path, id_print(id).c, more);
}

/* make_room - its place is taken: by itself, or by what has no right to it */
static int make_room(struct check *c, unsigned volume, const char *path, uint64_t id,
		     struct err *e)
{
	uint64_t there;

	if (message_id_at(c->s, volume, message_path(id).s, &there, e) < 0)
		return -1;
	if (there == id) {
		tell(c, volume, path, id, false,
		     "; its own place has it too: look at this one and remove it");
		return 0;
	}
	if (message_put_aside(c->s, volume, path, id, e) < 0)
		return -1;
	tell(c, volume, path, id, true,
	     "; set aside in damaged/, since its own place is taken");
	return 0;
}

static int bring_home(struct check *c, unsigned volume, const char *path, uint64_t id,
		      struct err *e)
{
	bool taken;

	if (message_bring_home(c->s, volume, path, id, &taken, e) < 0)
		return -1;
	if (taken)
		return make_room(c, volume, path, id, e);
	tell(c, volume, path, id, true, "; moved to its own");
	return 0;
}

/* misplaced - what cannot be moved is named, and the rest of the store looked at */
static void misplaced(struct check *c, unsigned volume, const char *path, uint64_t id)
{
	struct err e;

	if (!c->o->repair) {
		tell(c, volume, path, id, false, "");
	} else if (bring_home(c, volume, path, id, &e) < 0) {
		c->misplaced = true;
		tell(c, volume, path, id, false, e.text);
	}
}

static int stray(unsigned volume, const char *path, uint64_t name_id, void *ctx,
		 struct err *e)
{
	struct check *c = ctx;
	uint64_t id;
	bool taken = false;

	/* What is no file, or cannot be read, is a finding only under a name of ours. */
	if (message_id_at(c->s, volume, path, &id, e) < 0) {
		if (name_id != 0)
			check_report(c, "I8", false, "%s", e->text);
		return 0;
	}
	id = id ? id : name_id;
	/* A copy that somebody made under a name of his own. */
	if (name_id == 0 && id != 0 && message_exists(c->s, volume, id, &taken, e) < 0)
		return -1;
	if (id != 0 && !taken)
		misplaced(c, volume, path, id);
	return 0;
}

static int exchanged(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	struct message_path path = message_path(id);
	struct check *c = ctx;
	uint64_t is;

	/* One that cannot be read is named among the messages. */
	if (message_id_at(c->s, volume, path.s, &is, e) < 0)
		c->misplaced = true;
	else if (is != 0 && is != id)
		misplaced(c, volume, path.s, is);
	return 0;
}

static int set_aside(unsigned volume, const char *path, uint64_t name_id UNUSED,
		     void *ctx, struct err *e)
{
	struct check *c = ctx;
	uint64_t id;
	bool taken;

	if (!check_is_whole(c, volume, path, &id, e))
		return 0; /* named with the damaged ones */
	if (message_exists(c->s, volume, id, &taken, e) < 0)
		return -1;
	if (!taken)
		misplaced(c, volume, path, id);
	return 0;
}

/* unnamed - a directory of messages/ that cannot be read is named with the messages; what is
 * in it may belong elsewhere */
static void unnamed(const struct err *why UNUSED, void *ctx)
{
	struct check *c = ctx;

	c->misplaced = true;
}

static void unreadable(const struct err *why, void *ctx)
{
	check_report(ctx, "I8", false, "%s; what is in it was not looked at", why->text);
}

int check_places(struct check *c, struct err *e)
{
	if (message_each_stray(c->s, stray, unnamed, c, e) < 0)
		return -1;
	/* A check that only looks finds these among the messages. */
	if (c->o->repair) {
		int rc;

		c->round.again = true;
		rc = round_messages(&c->round, exchanged, c, e);
		c->round.again = false;
		if (rc < 0 || c->round.stopped)
			return rc;
	}
	return message_each_aside(c->s, set_aside, unreadable, c, e);
}
