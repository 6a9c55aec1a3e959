/* SPDX-License-Identifier: ISC */
#include "store/writer.h"

#include "lib/conn.h"
#include "store/id.h"
#include "store/writer_int.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct writer {
	struct storage *root;
	struct storage_lease *lease;
	uint32_t number;

	pthread_mutex_t io; /* one writes the record; taken before `state` */
	pthread_mutex_t state;
	uint64_t last_ms;  /* time of the last id; ids never go below */
	uint32_t sequence; /* next one at last_ms */
	uint64_t until_ms; /* as in the record on disk */
	uint64_t checkpoint_ms;
	bool dirty;        /* a delivery began since the checkpoint */
	uint64_t *running; /* ids of deliveries, in no order */
	size_t n_running, cap_running;
};

/* save_now - writes what is true now, with ids reserved from `from_ms` on */
static int save_now(struct writer *w, uint64_t checkpoint_ms, uint64_t from_ms,
		    struct err *e)
{
	struct writer_saved s = {
		.s = {.number = w->number,
		      .checkpoint_ms = checkpoint_ms,
		      .until_ms = from_ms + WRITER_RESERVE_MS},
	};

	snprintf(s.s.mount, sizeof s.s.mount, "%s", storage_mount_identity(w->root));
	if (writer_save(w->root, &s, e) < 0)
		return -1;
	pthread_mutex_lock(&w->state);
	w->checkpoint_ms = s.s.checkpoint_ms;
	w->until_ms = s.s.until_ms;
	pthread_mutex_unlock(&w->state);
	return 0;
}

/* clock_ms_of_ids - now; a clock that no id can name is wrong, and what was named by it
 * would be out of order for good */
static int clock_ms_of_ids(uint64_t *now, struct err *e)
{
	*now = clock_unix_ms();
	if (*now >= ID_EPOCH_MS && *now <= ID_LAST_MS)
		return 0;
	return err_set(e, ERR_TEMP, "4.3.5",
		       "the clock of this machine is wrong: it is not between 2020 and "
		       "2089");
}

/* ---- taking and giving back a number ------------------------------------------ */

/* try_number - 0 it is ours, 1 not this one */
static int try_number(struct writer *w, uint32_t number, uint64_t now, struct err *e)
{
	struct writer_saved s;
	struct err ignored;
	bool found;

	if (storage_lease_take(w->root, writer_path(number, ".lease").s, &w->lease, e) <
	    0)
		return -1;
	if (w->lease == NULL)
		return 1;
	/* Damaged, or lost: nobody knows which ids were used; recovery sees to it.
	 * Unclean: its messages are not all in their maildrops.  Ahead of the clock: its
	 * ids would not be in the order of time. */
	if (writer_load(w->root, number, &s, &found, e) < 0 ||
	    writer_is_lost(w->lease, found) ||
	    (found && (!s.clean || s.s.until_ms > now))) {
		storage_lease_drop(&w->lease);
		return 1;
	}
	w->number = number;
	w->last_ms = now;
	if (save_now(w, now, now, e) < 0)
		return -1;
	/* From now on a lease without a record is damage. */
	(void)!storage_lease_set_time(w->lease, now, &ignored);
	return 0;
}

int writer_open(struct storage *root, struct writer **out, struct err *e)
{
	struct writer *w;
	uint64_t now;
	int rc = 1;

	*out = NULL;
	if (clock_ms_of_ids(&now, e) < 0)
		return -1;
	w = xalloc(sizeof *w);
	w->root = root;
	pthread_mutex_init(&w->io, NULL);
	pthread_mutex_init(&w->state, NULL);
	for (uint32_t n = 0; rc == 1 && n < ID_WRITERS; n++)
		rc = try_number(w, n, now, e);
	if (rc == 1)
		rc = err_set(e, ERR_TEMP, "4.3.0",
			     "all %d writers are in use or need `popstore recover`",
			     ID_WRITERS);
	if (rc < 0) {
		storage_lease_drop(&w->lease);
		xfree(&w);
		return -1;
	}
	*out = w;
	return 0;
}

void writer_close(struct writer **wp)
{
	struct writer *w = *wp;
	struct err e;

	if (w == NULL)
		return;
	if (!w->dirty && w->n_running == 0) {
		struct writer_saved s = {
			.s = {.number = w->number,
			      .checkpoint_ms = w->last_ms + 1,
			      .until_ms = w->last_ms + 1},
			.clean = true,
		};

		/* If this fails, recovery looks at a few messages for nothing. */
		(void)!writer_save(w->root, &s, &e);
	}
	storage_lease_drop(&w->lease);
	pthread_mutex_destroy(&w->io);
	pthread_mutex_destroy(&w->state);
	xfree(&w->running);
	xfree(wp);
}

/* ---- ids ------------------------------------------------------------------------- */

/* next_time - where the next id goes; call with `state` held */
static void next_time(struct writer *w, uint64_t now)
{
	if (now > w->last_ms) {
		w->last_ms = now;
		w->sequence = 0;
	} else if (w->sequence == ID_SEQUENCE) {
		w->last_ms++;
		w->sequence = 0;
	}
}

static void run_add(struct writer *w, uint64_t id)
{
	if (w->n_running == w->cap_running) {
		size_t cap = w->cap_running ? w->cap_running * 2 : 64;

		w->running = xgrow(w->running, w->cap_running * sizeof *w->running,
				   cap * sizeof *w->running);
		w->cap_running = cap;
	}
	w->running[w->n_running++] = id;
	w->dirty = true;
}

/* reserve - makes room for ids at `ms` durably, unless somebody just did */
static int reserve(struct writer *w, uint64_t ms, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&w->io);
	pthread_mutex_lock(&w->state);

	bool needed = ms >= w->until_ms;
	/* After idleness nothing older is open: recovery need not look at that time. */
	uint64_t checkpoint = w->dirty ? w->checkpoint_ms : ms;

	pthread_mutex_unlock(&w->state);
	if (needed)
		rc = save_now(w, checkpoint, ms, e);
	pthread_mutex_unlock(&w->io);
	return rc;
}

int writer_id(struct writer *w, bool delivery, uint64_t *id, struct err *e)
{
	for (;;) {
		uint64_t now;

		if (clock_ms_of_ids(&now, e) < 0)
			return -1;
		pthread_mutex_lock(&w->state);
		next_time(w, now);

		uint64_t ms = w->last_ms;
		bool room = ms < w->until_ms;

		if (room) {
			*id = id_make(ms, w->number, w->sequence++);
			if (delivery)
				run_add(w, *id);
		}
		pthread_mutex_unlock(&w->state);
		if (room)
			return 0;
		if (reserve(w, ms, e) < 0)
			return -1;
	}
}

void writer_done(struct writer *w, uint64_t id)
{
	pthread_mutex_lock(&w->state);
	for (size_t i = 0; i < w->n_running; i++) {
		if (w->running[i] == id) {
			w->running[i] = w->running[--w->n_running];
			break;
		}
	}
	pthread_mutex_unlock(&w->state);
}

/* ---- checkpoint ------------------------------------------------------------------- */

/* oldest - below this time every delivery of this writer is over; none that comes
 * later gets an id below it either.  Call with `state` held. */
static uint64_t oldest(struct writer *w, uint64_t now)
{
	uint64_t t = UINT64_MAX;

	if (w->n_running == 0) {
		bool forward = now > w->last_ms && now <= ID_LAST_MS;

		next_time(w, forward ? now : w->last_ms + 1);
		return w->last_ms;
	}
	for (size_t i = 0; i < w->n_running; i++)
		if (id_unix_ms(w->running[i]) < t)
			t = id_unix_ms(w->running[i]);
	return t;
}

int writer_checkpoint(struct writer *w, int (*sync)(void *ctx, struct err *e), void *ctx,
		      struct err *e)
{
	int rc;

	pthread_mutex_lock(&w->io);
	pthread_mutex_lock(&w->state);

	bool needed = w->dirty;
	uint64_t t = needed ? oldest(w, clock_unix_ms()) : 0;
	uint64_t from = w->last_ms;

	w->dirty = w->n_running > 0;
	pthread_mutex_unlock(&w->state);

	rc = needed ? sync(ctx, e) : 0;
	if (rc == 0 && needed)
		rc = save_now(w, t, from, e);
	if (rc < 0) {
		pthread_mutex_lock(&w->state);
		w->dirty = true;
		pthread_mutex_unlock(&w->state);
	}
	pthread_mutex_unlock(&w->io);
	return rc;
}
