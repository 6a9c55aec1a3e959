/* SPDX-License-Identifier: ISC */
#include "store/round.h"

#include "lib/conn.h"
#include "store/check_int.h"
#include "store/id.h"
#include "store/store_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* ---- where it is ------------------------------------------------------------------- */

/* save - without a word where it cannot be written: the round itself goes on */
static int save(struct round *r, struct err *e)
{
	r->saved_ms = clock_ms();
	if (r->lease == NULL || r->hold)
		return 0;
	/* Nobody looks again at what lies before the place. */
	if (r->now.so_far.repaired != r->synced && storage_sync(store_root(r->s), e) < 0)
		return -1;
	r->synced = r->now.so_far.repaired;
	r->now.at_ms = clock_unix_ms();
	round_state_write(r->s, r->name, &r->now);
	return 0;
}

/* ---- begin and end ----------------------------------------------------------------- */

static void lease_path(const char *name, struct place *out)
{
	snprintf(out->path, sizeof out->path, "%s.lease", name);
}

/* take_lease - `popstore status` holds it for a moment when it looks; *held: somebody
 * does for longer */
static void take_lease(struct round *r, bool *held)
{
	enum { TRIES = 5, BETWEEN_NS = 20000000 };
	struct place path;
	struct err ignored;
	int rc = 0;

	lease_path(r->name, &path);
	for (int i = 0; rc == 0 && r->lease == NULL && i < TRIES; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){.tv_nsec = BETWEEN_NS}, NULL);
		rc = storage_lease_take(store_root(r->s), path.path, &r->lease, &ignored);
	}
	*held = rc == 0 && r->lease == NULL;
}

static uint64_t hash_volumes(const struct store *s)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < s->n_volumes; i++)
		hash = XXH3_64bits_withSeed(&(uint64_t){s->volumes[i].number},
					    sizeof(uint64_t), hash);
	return hash;
}

static void say(const struct round *r, const char *text)
{
	if (r->o->note != NULL)
		r->o->note(text, r->o->ctx);
}

/* resume - what cannot be gone on with is begun anew, but never what was asked for in
 * another way */
static int resume(struct round *r, struct err *e)
{
	struct round_state then;
	struct err why;
	bool found = false;

	if (round_state_read(r->s, r->name, &then, &found, &why) < 0) {
		err_add(&why, "begins at the beginning, since where it stopped is lost");
		say(r, why.text);
	} else if (!found) {
		say(r, "begins at the beginning: none was stopped");
	} else if (strcmp(then.what, r->now.what) != 0) {
		return err_set(e, ERR_PERM, "5.5.4",
			       "what was stopped is `popstore %s`: resume that, or begin "
			       "without --resume",
			       then.what);
	} else if (then.volumes != r->now.volumes) {
		say(r,
		    "begins at the beginning: the configuration has other volumes now");
	} else {
		then.pid = r->now.pid;
		r->now = then;
		*r->so_far = then.so_far;
		r->synced = then.so_far.repaired;
		r->resuming = true;
	}
	return 0;
}

int round_begin(struct round *r, const char *what, struct err *e)
{
	bool held = false;

	r->now = (struct round_state){
		.volumes = hash_volumes(r->s),
		.started_ms = clock_unix_ms(),
		.pid = (uint64_t)getpid(),
	};
	snprintf(r->now.what, sizeof r->now.what, "%s", what);
	if (r->o->keep_place)
		take_lease(r, &held);
	if (r->o->resume && held)
		return err_set(
			e, ERR_TEMP, "4.3.2",
			"it is still running: `popstore status` says how far it is");
	if (held)
		say(r, "another one is running: this one cannot be resumed if it stops");
	if (r->o->resume && resume(r, e) < 0) {
		storage_lease_drop(&r->lease);
		return -1;
	}
	return save(r, e);
}

bool round_enter(struct round *r, const char *phase)
{
	struct err ignored;

	if (r->stopped)
		return false;
	if (r->resuming) {
		r->resuming = strcmp(r->now.phase, phase) != 0;
		return !r->resuming;
	}
	snprintf(r->now.phase, sizeof r->now.phase, "%s", phase);
	r->now.place[0] = '\0';
	r->now.share = 0;
	r->now.volume = r->s->volumes[0].number;
	r->now.so_far = *r->so_far;
	(void)!save(r, &ignored); /* a sync that failed fails again at the end */
	return true;
}

int round_end(struct round *r, int rc, struct err *e)
{
	struct err ignored;

	if (r->resuming && rc == 0)
		rc = err_set(
			e, ERR_TEMP, "4.3.5",
			"another version of the program was stopped in its phase %s: "
			"begin without --resume",
			r->now.phase);
	r->so_far->stopped = r->stopped;
	r->so_far->resumable = r->stopped && r->lease != NULL;
	r->now.so_far = *r->so_far;
	if (rc < 0)
		(void)!save(r, &ignored);
	else if (r->stopped)
		rc = save(r, e);
	else if (r->lease != NULL)
		(void)!storage_remove(store_root(r->s), r->name, 0, &ignored);
	storage_lease_drop(&r->lease);
	return rc;
}

/* ---- steps ------------------------------------------------------------------------- */

bool round_must_stop(struct round *r)
{
	r->stopped = r->stopped || (r->o->stop != NULL && r->o->stop(r->o->ctx));
	return r->stopped;
}

static int step(struct round *r, const char *place, uint64_t share, bool *more,
		struct err *e)
{
	if (r->stopped) {
		*more = false;
		return 0;
	}
	snprintf(r->now.place, sizeof r->now.place, "%s", place);
	r->now.share = share;
	r->now.so_far = *r->so_far;
	if (r->o->progress != NULL)
		r->o->progress(&r->now, r->o->ctx);
	if (round_must_stop(r))
		*more = false;
	else if (clock_ms() >= r->saved_ms + ROUND_SAVE_MS)
		return save(r, e);
	return 0;
}

static const char *after(struct place *kept, const struct round *r)
{
	snprintf(kept->path, sizeof kept->path, "%s", r->now.place);
	return kept->path[0] != '\0' ? kept->path : NULL;
}

/* unreadable - a directory: what lies below it is passed by */
static void unreadable(const struct round *r, const char *invariant,
		       const struct err *why)
{
	check_report(r->c, invariant, false, "%s; what is in it was not looked at",
		     why->text);
}

struct names {
	struct round *r;
	const char *tree;
	int (*each)(const char *path, const struct name *name, void *ctx, struct err *e);
	void *ctx;
};

static int one_name(const struct tree_at *at, bool *more, void *ctx, struct err *e)
{
	const struct names *w = ctx;
	char path[2 * PLACE_OCTETS];
	struct name name;

	if (!name_from_component(str_of(at->component), &name))
		return 0;
	snprintf(path, sizeof path, "%s/%s", w->tree, at->place);
	if (w->each(path, &name, w->ctx, e) < 0)
		return -1;
	return step(w->r, at->place, at->share, more, e);
}

static void bad_names(const struct err *why, void *ctx)
{
	unreadable(((const struct names *)ctx)->r, "I4", why);
}

int round_names(struct round *r, const char *tree,
		int (*each)(const char *path, const struct name *name, void *ctx,
			    struct err *e),
		void *ctx, struct err *e)
{
	struct names w = {r, tree, each, ctx};
	struct place kept;

	const struct tree_walk walk = {
		.st = store_root(r->s),
		.tree = tree,
		.widths = {2, 2},
		.after = after(&kept, r),
		.each = one_name,
		.bad = bad_names,
		.ctx = &w,
	};

	return tree_walk(&walk, e);
}

struct messages {
	struct round *r;
	size_t volume; /* index */
	int (*each)(unsigned volume, uint64_t id, void *ctx, struct err *e);
	void *ctx;
};

static int one_message(const struct tree_at *at, bool *more, void *ctx, struct err *e)
{
	const struct messages *w = ctx;
	uint64_t id, done = w->volume * TREE_WHOLE + at->share;

	if (!id_parse(str_of(at->component), &id))
		return 0;
	if (w->each(w->r->s->volumes[w->volume].number, id, w->ctx, e) < 0)
		return -1;
	return step(w->r, at->place, done / w->r->s->n_volumes, more, e);
}

static void bad_messages(const struct err *why, void *ctx)
{
	const struct round *r = ((const struct messages *)ctx)->r;

	if (!r->again)
		unreadable(r, "I8", why);
}

/* volume_now - the index of the one to go on in */
static size_t volume_now(const struct round *r)
{
	size_t i = 0;

	while (i + 1 < r->s->n_volumes && r->s->volumes[i].number != r->now.volume)
		i++;
	return i;
}

int round_messages(struct round *r,
		   int (*each)(unsigned volume, uint64_t id, void *ctx, struct err *e),
		   void *ctx, struct err *e)
{
	struct messages w = {r, volume_now(r), each, ctx};
	int rc = 0;

	while (rc == 0 && !r->stopped) {
		struct place kept;
		const struct tree_walk walk = {
			.st = r->s->volumes[w.volume].storage,
			.tree = "messages",
			.widths = {8, 4}, /* "20261121/2013" */
			.after = after(&kept, r),
			.each = one_message,
			.bad = bad_messages,
			.ctx = &w,
		};

		r->now.volume = r->s->volumes[w.volume].number;
		rc = tree_walk(&walk, e);
		if (rc < 0 || r->stopped || ++w.volume == r->s->n_volumes)
			return rc;
		r->now.place[0] = '\0';
	}
	return rc;
}
