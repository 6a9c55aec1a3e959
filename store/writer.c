/* SPDX-License-Identifier: ISC */
#include "store/writer.h"

#include "lib/conn.h"
#include "store/id.h"
#include "store/record.h"
#include "store/storage.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
	RESERVE_MS = 60 * 1000, /* how far ahead ids are reserved by one durable write */
	RECORD_OCTETS = 512,
};

static const char kind[] = "popstore-writer";

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

struct writer_path {
	char s[40];
};

static struct writer_path path_of(uint32_t number, const char *suffix)
{
	struct writer_path p;

	snprintf(p.s, sizeof p.s, "writers/%u%s", (unsigned)number, suffix);
	return p;
}

/* ---- the record ------------------------------------------------------------- */

struct saved {
	struct writer_state s;
	bool clean;
};

static int save(struct storage *root, const struct saved *w, struct err *e)
{
	struct writer_path path = path_of(w->s.number, "");
	struct record_writer r;

	record_begin(&r, kind);
	record_put(&r, "state", w->clean ? STR("closed") : STR("open"));
	record_put_u64(&r, "checkpoint", w->s.checkpoint_ms);
	record_put_u64(&r, "until", w->s.until_ms);
	record_put(&r, "mount", str_of(w->s.mount));

	int rc = storage_put(root, path.s, record_finish(&r), STORAGE_DURABLE, NULL, e);

	record_fini(&r);
	return rc;
}

static void take_text(struct str record, const char *key, char *to, size_t room)
{
	struct buf b;

	buf_init(&b, room - 1);
	if (record_get(record, key, &b))
		snprintf(to, room, "%s", buf_cstr(&b));
	buf_fini(&b);
}

/* load - *found is false for a number that was never used */
static int load(struct storage *root, uint32_t number, struct saved *out, bool *found,
		struct err *e)
{
	struct writer_path path = path_of(number, "");
	struct buf text;
	char state[8] = "";
	int rc = -1;

	*out = (struct saved){.s.number = number, .clean = true};
	buf_init(&text, RECORD_OCTETS);
	if (storage_read(root, path.s, &text, found, e) < 0)
		goto out;
	rc = 0;
	if (!*found)
		goto out;
	rc = record_check(buf_str(&text), kind, path.s, e);
	if (rc < 0)
		goto out;
	take_text(buf_str(&text), "state", state, sizeof state);
	take_text(buf_str(&text), "mount", out->s.mount, sizeof out->s.mount);
	out->clean = strcmp(state, "closed") == 0;
	if (!record_get_u64(buf_str(&text), "checkpoint", &out->s.checkpoint_ms) ||
	    !record_get_u64(buf_str(&text), "until", &out->s.until_ms))
		rc = err_set(e, ERR_TEMP, "4.3.0", "%s lacks its times", path.s);
out:
	buf_fini(&text);
	return rc;
}

uint64_t writer_checkpoint_of(struct storage *root, uint32_t number)
{
	struct saved w;
	struct err e;
	bool found;

	if (load(root, number, &w, &found, &e) < 0 || !found)
		return 0;
	return w.s.checkpoint_ms;
}

/* save_now - writes what is true now, with ids reserved from `from_ms` on */
static int save_now(struct writer *w, uint64_t checkpoint_ms, uint64_t from_ms,
		    struct err *e)
{
	struct saved s = {
		.s = {.number = w->number,
		      .checkpoint_ms = checkpoint_ms,
		      .until_ms = from_ms + RESERVE_MS},
	};

	snprintf(s.s.mount, sizeof s.s.mount, "%s", storage_mount_identity(w->root));
	if (save(w->root, &s, e) < 0)
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
	struct saved s;
	bool found;

	if (storage_lease_take(w->root, path_of(number, ".lease").s, &w->lease, e) < 0)
		return -1;
	if (w->lease == NULL)
		return 1;
	/* Damaged: nobody knows which ids were used; recovery sees to it.  Unclean: its
	 * messages are not all in their maildrops.  Ahead of the clock: its ids would
	 * not be in the order of time. */
	if (load(w->root, number, &s, &found, e) < 0 ||
	    (found && (!s.clean || s.s.until_ms > now))) {
		storage_lease_drop(&w->lease);
		return 1;
	}
	w->number = number;
	w->last_ms = now;
	return save_now(w, now, now, e);
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
		struct saved s = {
			.s = {.number = w->number,
			      .checkpoint_ms = w->last_ms + 1,
			      .until_ms = w->last_ms + 1},
			.clean = true,
		};

		/* If this fails, recovery looks at a few messages for nothing. */
		(void)!save(w->root, &s, &e);
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

/* ---- recovery ------------------------------------------------------------------------ */

static int one_dead(struct storage *root, uint32_t number,
		    int (*each)(const struct writer_state *w, bool *clean, void *ctx,
				struct err *e),
		    void *ctx, struct err *e)
{
	struct storage_lease *lease;
	struct saved s;
	bool found, clean = false;
	int rc = -1;

	if (storage_lease_take(root, path_of(number, ".lease").s, &lease, e) < 0)
		return -1;
	if (lease == NULL)
		return 0;
	if (load(root, number, &s, &found, e) < 0) {
		if (e->sys != 0)
			goto out;
		/* Damaged.  It may have left anything, and its number is used no more:
		 * its ids are taken up to the last there is. */
		s = (struct saved){.s = {.number = number, .until_ms = ID_LAST_MS}};
	}
	rc = 0;
	if (!found || s.clean)
		goto out;
	rc = each(&s.s, &clean, ctx, e);
	if (rc == 0 && clean) {
		s.clean = true;
		s.s.checkpoint_ms = s.s.until_ms;
		rc = save(root, &s, e);
	} else if (rc == 0 && s.s.mount[0] != '\0') {
		/* Somebody will mend what stood in the way, and a maildrop that was made
		 * again may lack lines: after that no line proves nothing. */
		s.s.mount[0] = '\0';
		rc = save(root, &s, e);
	}
out:
	storage_lease_drop(&lease);
	return rc;
}

int writer_each_dead(struct storage *root,
		     int (*each)(const struct writer_state *w, bool *clean, void *ctx,
				 struct err *e),
		     void *ctx, struct err *e)
{
	struct storage_names *names;
	const char *name;
	int rc = 0;

	if (storage_list(root, "writers", &names, e) < 0)
		return -1;
	while (rc == 0 && (name = storage_names_next(names)) != NULL) {
		uint32_t number;

		if (str_u32(str_of(name), &number) && number < ID_WRITERS)
			rc = one_dead(root, number, each, ctx, e);
	}
	return storage_names_end(&names, e) < 0 ? -1 : rc;
}
