/* SPDX-License-Identifier: ISC */
#include "store/standing.h"

#include "lib/conn.h"
#include "lib/log.h"
#include "store/record.h"
#include "store/store_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOK_AGE_MS = 1000,  /* how old a look may be */
	AWAY_MS = 1000,      /* how long one that refused a message is asked last */
	FREE_LOW = 64 << 20, /* octets under which a volume is asked last */
};

static const char kind[] = "popstore-stopped";

static const struct {
	const char *word, *why;
} words[] = {
	/* clang-format off */
	[STANDING_OK]         = {"ok", ""},
	[STANDING_FULL]       = {"full", "has no room"},
	[STANDING_READ_ONLY]  = {"read-only", "takes no writes: it is mounted read only"},
	[STANDING_BROKEN]     = {"broken", "cannot be asked for its room"},
	[STANDING_STOPPED]    = {"stopped", "takes no mail since a sync failed; `popstore status` says which"},
	/* clang-format on */
};

/* One of the storages of a store; the root comes before the volumes. */
struct part {
	struct storage *storage;
	struct look *look;
	const struct volume *volume; /* NULL: the root */
};

struct part_name {
	char s[16];
};

struct part_path {
	char s[32];
};

static struct part root_part(struct store *s)
{
	return (struct part){s->root, &s->root_look, NULL};
}

static struct part volume_part(struct volume *v)
{
	return (struct part){v->storage, &v->look, v};
}

static struct part_name name_of_part(const struct part *p)
{
	struct part_name n = {"root"};

	if (p->volume != NULL)
		snprintf(n.s, sizeof n.s, "%u", p->volume->number);
	return n;
}

/* path_of - of its record */
static struct part_path path_of(const struct part *p)
{
	struct part_path path;

	snprintf(path.s, sizeof path.s, "stopped/%s", name_of_part(p).s);
	return path;
}

/* ---- looking ----------------------------------------------------------------------- */

/* try - a file that is given no name, in a directory where nothing else is, so that also a
 * process may do so that may change nothing (store/role.h): a disk may refuse what its mount allows, since
 * its journal could not be written.  A process that may not write has no opinion. */
static enum standing try(struct storage *st, struct err *e)
{
	struct storage_draft *d;

	if (storage_draft_begin(st, "try/new", &d, e) == 0)
		storage_draft_end(&d);
	else if (e->sys == EROFS)
		return STANDING_READ_ONLY;
	else if (e->sys == EIO)
		return STANDING_BROKEN;
	return STANDING_OK;
}

static enum standing ask(struct store *s, const struct part *p,
			 struct storage_space *space, struct err *e)
{
	bool stopped = storage_failed(p->storage);

	*space = (struct storage_space){0};
	if (!stopped && storage_exists(s->root, path_of(p).s, &stopped, e) < 0)
		return STANDING_BROKEN;
	if (storage_space(p->storage, space, e) < 0 && !stopped)
		return STANDING_BROKEN;
	if (stopped)
		return STANDING_STOPPED;
	if (space->read_only)
		return STANDING_READ_ONLY;
	if (space->octets == 0 || space->objects == 0)
		return STANDING_FULL;
	return try(p->storage, e);
}

/* look_at - as of a second ago at most; what failed in this process is known at once */
static enum standing look_at(struct store *s, const struct part *p)
{
	uint64_t now = clock_ms(), seen_ms = atomic_load(&p->look->at_ms);
	struct storage_space space;
	enum standing standing;
	struct err e;

	if (storage_failed(p->storage))
		return STANDING_STOPPED;
	if (seen_ms != 0 && now - seen_ms < LOOK_AGE_MS)
		return (enum standing)atomic_load(&p->look->standing);
	standing = ask(s, p, &space, &e);
	atomic_store(&p->look->room, standing == STANDING_OK ? space.octets : 0);
	atomic_store(&p->look->standing, (int)standing);
	atomic_store(&p->look->at_ms, now);
	return standing;
}

static bool takes(enum standing standing)
{
	return standing == STANDING_OK || standing == STANDING_FULL;
}

static int refuse(const struct part *p, enum standing standing, struct err *e)
{
	return err_set(e, ERR_TEMP, "4.3.0", "%s %s", storage_name(p->storage),
		       words[standing].why);
}

/* ---- choosing ------------------------------------------------------------------------- */

static uint64_t room_of(const struct volume *v)
{
	uint64_t away_ms = atomic_load(&v->look.away_ms);

	if (away_ms != 0 && clock_ms() - away_ms < AWAY_MS)
		return 0;
	return atomic_load(&v->look.room);
}

/* choose - from the start'th on the first with room, else the one with most of it */
static struct volume *choose(struct store *s, unsigned start, struct err *e)
{
	/* The root, where it takes none, has no turn: its neighbour would get it. */
	size_t first = s->volumes[0].writable ? 0 : 1, turns = s->n_volumes - first;
	struct part root = root_part(s);
	enum standing standing = look_at(s, &root);
	struct volume *roomiest = NULL;

	if (!takes(standing)) {
		refuse(&root, standing, e);
		return NULL;
	}
	for (size_t i = 0; i < turns; i++) {
		struct volume *v = &s->volumes[first + (start + i) % turns];
		struct part p = volume_part(v);

		standing = look_at(s, &p);
		if (!takes(standing)) {
			if (roomiest == NULL)
				refuse(&p, standing, e);
			continue;
		}
		if (room_of(v) >= FREE_LOW)
			return v;
		if (roomiest == NULL || room_of(v) > room_of(roomiest))
			roomiest = v;
	}
	return roomiest;
}

struct volume *store_pick_volume(struct store *s, struct err *e)
{
	return choose(s, atomic_fetch_add(&s->next_volume, 1), e);
}

void store_volume_refused(struct store *s, struct volume *v)
{
	atomic_store(&v->look.away_ms, clock_ms());
	store_alarm(s); /* the delivery may succeed elsewhere, and nobody would say it */
}

int store_takes_mail(struct store *s, struct err *e)
{
	return choose(s, 0, e) ? 0 : -1;
}

/* ---- telling -------------------------------------------------------------------------- */

/* write_down - false: another process has told it before */
static bool write_down(struct store *s, const struct part *p)
{
	bool existed = false;
	struct record_writer w;
	struct storage *root;
	struct err e;

	/* By a storage of its own: the one that failed writes nothing any more. */
	if (storage_open(s->set->store.root, &root, &e) < 0)
		return true;
	record_begin(&w, kind);
	record_put(&w, "path", str_of(storage_name(p->storage)));
	record_put(&w, "why", str_of(storage_failure(p->storage)));
	record_put_u64(&w, "since", clock_unix_ms());
	record_put_u64(&w, "pid", (uint64_t)getpid());
	/* Where even this fails, each process finds out by itself. */
	(void)!storage_put(root, path_of(p).s, record_finish(&w), STORAGE_EXCLUSIVE,
			   &existed, &e);
	record_fini(&w);
	storage_close(&root);
	return !existed;
}

static void tell(struct store *s, const struct part *p)
{
	struct part_name name = name_of_part(p);

	if (!storage_failed(p->storage) || atomic_exchange(&p->look->told, true))
		return;
	if (write_down(s, p))
		log_event(LOG_LV_ERROR, "storage.stopped", kv_s("volume", name.s),
			  kv_s("path", storage_name(p->storage)),
			  kv_s("why", storage_failure(p->storage)),
			  kv_s("do", "it takes no mail until popstored is restarted: "
				     "check the disk before"));
}

void store_alarm(struct store *s)
{
	struct part p = root_part(s);

	tell(s, &p);
	for (size_t i = 0; i < s->n_volumes; i++) {
		p = volume_part(&s->volumes[i]);
		tell(s, &p);
	}
}

int store_resume(struct store *s, size_t *n, struct err *e)
{
	struct storage_names *names;
	const char *name;
	int rc = 0;

	*n = 0;
	if (storage_list(s->root, "stopped", &names, e) < 0)
		return -1;
	while (rc == 0 && (name = storage_names_next(names)) != NULL) {
		char path[sizeof "stopped/" + NAME_MAX];

		snprintf(path, sizeof path, "stopped/%s", name);
		rc = storage_remove(s->root, path, 0, e);
		*n += rc == 0;
	}
	return storage_names_end(&names, e) < 0 ? -1 : rc;
}

int store_root_stopped(struct store *s, bool *stopped, struct err *e)
{
	const struct part root = root_part(s);

	return storage_exists(s->root, path_of(&root).s, stopped, e);
}

/* ---- reporting ------------------------------------------------------------------------- */

size_t store_standings(const struct store *s)
{
	return s->n_volumes + 1;
}

/* read_down - what write_down() wrote; one that cannot be read still says that it stopped */
static void read_down(struct store *s, const struct part *p, struct standing_report *out)
{
	struct buf text, why;
	struct err e;
	bool found;

	buf_init(&text, RECORD_MAX);
	buf_init(&why, sizeof out->why - 1);
	if (store_read_record(s, path_of(p).s, kind, &text, &found, &e) == 0 && found &&
	    record_get(buf_str(&text), "why", &why) &&
	    record_get_u64(buf_str(&text), "since", &out->since_ms))
		snprintf(out->why, sizeof out->why, "%s", buf_cstr(&why));
	buf_fini(&why);
	buf_fini(&text);
}

/* count_aside - none where nobody can tell; then more than that is wrong */
static uint64_t count_aside(struct storage *volume)
{
	struct storage_names *names;
	struct err ignored;
	uint64_t n = 0;

	if (storage_list(volume, "damaged", &names, &ignored) < 0)
		return 0;
	while (storage_names_next(names) != NULL)
		n++;
	return storage_names_end(&names, &ignored) < 0 ? 0 : n;
}

void store_standing(struct store *s, size_t i, struct standing_report *out)
{
	struct volume *v = i > 0 ? &s->volumes[i - 1] : NULL;
	struct part p = v ? volume_part(v) : root_part(s);
	struct err e = {0};

	*out = (struct standing_report){.path = storage_name(p.storage)};
	snprintf(out->name, sizeof out->name, "%s", name_of_part(&p).s);
	out->standing = ask(s, &p, &out->space, &e);
	out->mail = takes(out->standing) && (v == NULL || v->writable);
	out->word = words[out->standing].word;
	snprintf(out->why, sizeof out->why, "%s",
		 out->standing == STANDING_BROKEN ? e.text : words[out->standing].why);
	if (out->standing == STANDING_STOPPED)
		read_down(s, &p, out);
	if (v != NULL)
		out->aside = count_aside(p.storage);
}
