/* SPDX-License-Identifier: ISC */
#include "store/store.h"

#include "lib/conn.h"
#include "store/id.h"
#include "store/record.h"
#include "store/store_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum {
	FREE_AGE_MS = 1000,  /* how old a look at a volume's free space may be */
	FREE_LOW = 64 << 20, /* octets under which a volume is used last */
};

static const char root_kind[] = "popstore-root";
static const char volume_kind[] = "popstore-volume";

/* ---- marks ------------------------------------------------------------------- */

int store_read_record(struct store *s, const char *path, const char *kind,
		      struct buf *out, bool *found, struct err *e)
{
	if (storage_read(s->root, path, out, found, e) < 0)
		return -1;
	return *found ? record_check(buf_str(out), kind, path, e) : 0;
}

struct mark {
	bool found;
	uint64_t store_id;
	uint64_t number; /* of a volume */
};

static int read_mark(struct storage *st, const char *path, const char *kind,
		     struct mark *out, struct err *e)
{
	struct buf text;
	int rc;

	*out = (struct mark){0};
	buf_init(&text, RECORD_MAX);
	rc = storage_read(st, path, &text, &out->found, e);
	if (rc == 0 && out->found)
		rc = record_check(buf_str(&text), kind, path, e);
	if (rc == 0 && out->found) {
		struct buf id;

		buf_init(&id, 16);
		if (!record_get(buf_str(&text), "store", &id) ||
		    !str_hex64(buf_str(&id), &out->store_id))
			rc = err_set(e, ERR_PERM, "5.3.5", "%s/%s names no store",
				     storage_name(st), path);
		buf_fini(&id);
		if (!record_get_u64(buf_str(&text), "number", &out->number))
			out->number = 0;
	}
	buf_fini(&text);
	return rc < 0 ? err_add(e, "%s", storage_name(st)) : 0;
}

static int write_mark(struct storage *st, const char *path, const char *kind,
		      uint64_t store_id, uint64_t number, struct err *e)
{
	char hex[17];
	struct record_writer w;
	bool existed;

	snprintf(hex, sizeof hex, "%016" PRIx64, store_id);
	record_begin(&w, kind);
	record_put(&w, "store", str_of(hex));
	record_put_u64(&w, "number", number);

	int rc = storage_put(st, path, record_finish(&w),
			     STORAGE_DURABLE | STORAGE_EXCLUSIVE, &existed, e);

	record_fini(&w);
	if (rc == 0 && existed)
		return err_set(e, ERR_PERM, "5.3.5",
			       "%s/%s was made by somebody else just now",
			       storage_name(st), path);
	return rc;
}

/* ---- making -------------------------------------------------------------------- */

/* make_root - the directory itself; those above it are the operator's */
static int make_root(const char *path, struct err *e)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make directory %s", path);
	return 0;
}

/* take_number - a number that no volume of this store ever had: it is written into
 * maildrop lines, whatever the order in the configuration becomes */
static int take_number(struct storage *root, const char *volume, uint64_t *number,
		       struct err *e)
{
	struct record_writer w;
	bool existed = true;
	int rc = 0;

	record_begin(&w, "popstore-volume-number");
	record_put(&w, "made-for", str_of(volume));

	struct str text = record_finish(&w);

	for (*number = 1; rc == 0 && existed; *number += existed) {
		char path[40];

		snprintf(path, sizeof path, "volumes/%" PRIu64, *number);
		rc = storage_put(root, path, text, STORAGE_DURABLE | STORAGE_EXCLUSIVE,
				 &existed, e);
	}
	record_fini(&w);
	return rc;
}

static int init_volume(struct storage *root, const char *path, uint64_t store_id,
		       unsigned *made, struct err *e)
{
	struct storage *st;
	struct mark mark;
	uint64_t number;
	int rc;

	if (make_root(path, e) < 0 || storage_open_posix(path, &st, e) < 0)
		return -1;
	rc = read_mark(st, "volume", volume_kind, &mark, e);
	if (rc == 0 && mark.found && mark.store_id != store_id)
		rc = err_set(e, ERR_PERM, "5.3.5", "%s belongs to another store", path);
	if (rc == 0 && !mark.found) {
		rc = take_number(root, path, &number, e);
		if (rc == 0)
			rc = write_mark(st, "volume", volume_kind, store_id, number, e);
		(*made)++;
	}
	storage_close(&st);
	return rc;
}

/* init_volumes - marks volumes that have no mark yet; *made counts them */
static int init_volumes(const struct settings *set, struct storage *root,
			uint64_t store_id, unsigned *made, struct err *e)
{
	*made = 0;
	for (size_t i = 0; i < set->store.volumes.n; i++)
		if (init_volume(root, set->store.volumes.v[i], store_id, made, e) < 0)
			return -1;
	return 0;
}

static int init_trees(struct storage *root, struct err *e)
{
	static const char *const trees[] = {"accounts", "domains", "forwardings",
					    "secrets", "writers"};

	for (size_t i = 0; i < countof(trees); i++)
		if (storage_make_dir(root, trees[i], e) < 0)
			return -1;
	return 0;
}

int store_init(const struct settings *set, struct err *e)
{
	struct storage *root;
	struct mark mark;
	unsigned made;
	uint64_t id;
	int rc = -1;

	if (make_root(set->store.root, e) < 0 ||
	    storage_open_posix(set->store.root, &root, e) < 0)
		return -1;
	if (read_mark(root, "popstore", root_kind, &mark, e) < 0 ||
	    init_trees(root, e) < 0)
		goto out;
	if (mark.found)
		id = mark.store_id;
	else if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id) {
		err_sys(e, "getrandom");
		goto out;
	}
	if (init_volumes(set, root, id, &made, e) < 0)
		goto out;
	/* The root's mark comes last: it says that everything is there. */
	if (!mark.found)
		rc = write_mark(root, "popstore", root_kind, id, 0, e);
	else if (made == 0)
		err_set(e, ERR_PERM, "5.3.5", "%s is a popstore already",
			set->store.root);
	else
		rc = 0;
out:
	storage_close(&root);
	return rc;
}

/* ---- opening --------------------------------------------------------------------- */

static int open_volume(struct store *s, const char *path, struct err *e)
{
	struct volume *v = &s->volumes[s->n_volumes];
	struct mark mark;

	if (storage_open_posix(path, &v->storage, e) < 0)
		return -1;
	s->n_volumes++;
	if (read_mark(v->storage, "volume", volume_kind, &mark, e) < 0)
		return -1;
	if (!mark.found)
		return err_set(e, ERR_TEMP, "4.3.5",
			       "%s has no volume mark: is its disk mounted? A new volume "
			       "is made by `popstore init`",
			       path);
	if (mark.store_id != s->id || mark.number == 0 || mark.number > UINT32_MAX)
		return err_set(e, ERR_PERM, "5.3.5", "%s belongs to another store", path);
	v->number = (unsigned)mark.number;
	v->writable = true;
	for (size_t i = 0; i + 1 < s->n_volumes; i++)
		if (s->volumes[i].number == v->number)
			return err_set(e, ERR_PERM, "5.3.5",
				       "%s is the same volume as %s", path,
				       storage_name(s->volumes[i].storage));
	return 0;
}

static int open_all(struct store *s, struct err *e)
{
	const struct settings *set = s->set;
	struct mark mark;

	if (storage_open_posix(set->store.root, &s->root, e) < 0 ||
	    read_mark(s->root, "popstore", root_kind, &mark, e) < 0)
		return -1;
	if (!mark.found)
		return err_set(
			e, ERR_TEMP, "4.3.5",
			"%s is no popstore: is its disk mounted? A new one is made "
			"by `popstore init`",
			set->store.root);
	s->id = mark.store_id;

	/* The root is volume 0.  With volumes of its own the store writes nothing new
	 * there, but what is there is still read. */
	s->volumes = xalloc((set->store.volumes.n + 1) * sizeof *s->volumes);
	if (storage_open_posix(set->store.root, &s->volumes[0].storage, e) < 0)
		return -1;
	s->volumes[0].writable = set->store.volumes.n == 0;
	s->n_volumes = 1;
	for (size_t i = 0; i < set->store.volumes.n; i++)
		if (open_volume(s, set->store.volumes.v[i], e) < 0)
			return -1;
	return 0;
}

int store_open(const struct settings *set, struct store **out, struct err *e)
{
	struct store *s = xalloc(sizeof *s);

	*out = NULL;
	s->set = set;
	pthread_mutex_init(&s->mutex, NULL);
	if (open_all(s, e) < 0) {
		store_close(&s);
		return err_add(e, "open store");
	}
	*out = s;
	return 0;
}

void store_close(struct store **sp)
{
	struct store *s = *sp;
	struct err e;

	if (s == NULL)
		return;
	/* If this fails, recovery has a little more to look at. */
	(void)!store_checkpoint(s, &e);
	writer_close(&s->writer);
	for (size_t i = 0; i < s->n_volumes; i++)
		storage_close(&s->volumes[i].storage);
	xfree(&s->volumes);
	storage_close(&s->root);
	pthread_mutex_destroy(&s->mutex);
	xfree(sp);
}

const struct settings *store_settings(const struct store *s)
{
	return s->set;
}

struct storage *store_root(struct store *s)
{
	return s->root;
}

/* ---- volumes ----------------------------------------------------------------------- */

struct volume *store_volume(struct store *s, unsigned number)
{
	for (size_t i = 0; i < s->n_volumes; i++)
		if (s->volumes[i].number == number)
			return &s->volumes[i];
	return NULL;
}

int store_is_whole(struct store *s, bool *whole, struct err *e)
{
	struct storage_names *names;
	const char *name;

	*whole = true;
	if (storage_list(s->root, "volumes", &names, e) < 0)
		return -1;
	while ((name = storage_names_next(names)) != NULL) {
		uint32_t n;

		if (str_u32(str_of(name), &n) && store_volume(s, n) == NULL)
			*whole = false;
	}
	return storage_names_end(&names, e);
}

/* room_of - octets free, not older than a second; a volume that cannot tell has none */
static uint64_t room_of(struct volume *v)
{
	uint64_t now = clock_ms(), seen = atomic_load(&v->free_seen_ms), n;
	struct err e;

	if (seen != 0 && now - seen < FREE_AGE_MS)
		return atomic_load(&v->free_octets);
	if (storage_free_octets(v->storage, &n, &e) < 0)
		n = 0;
	atomic_store(&v->free_octets, n);
	atomic_store(&v->free_seen_ms, now);
	return n;
}

struct volume *store_pick_volume(struct store *s, struct err *e)
{
	unsigned start = atomic_fetch_add(&s->next_volume, 1);
	struct volume *roomiest = NULL, *v;
	uint64_t most = 0;
	/* The root, where it takes none, has no turn: its neighbour would get it. */
	size_t first = s->volumes[0].writable ? 0 : 1, turns = s->n_volumes - first;

	for (size_t i = 0; i < turns; i++) {
		v = &s->volumes[first + (start + i) % turns];
		if (storage_failed(v->storage))
			continue;

		uint64_t n = room_of(v);

		if (n >= FREE_LOW)
			return v;
		if (roomiest == NULL || n > most) {
			roomiest = v;
			most = n;
		}
	}
	if (roomiest == NULL)
		err_set(e, ERR_TEMP, "4.3.0",
			"no volume takes mail: a sync failed; check the disks and restart");
	return roomiest;
}

int store_sync_volumes(struct store *s, struct err *e)
{
	for (size_t i = 0; i < s->n_volumes; i++)
		if (storage_sync(s->volumes[i].storage, e) < 0)
			return -1;
	return 0;
}

/* ---- writer and checkpoint ------------------------------------------------------------ */

int store_writer(struct store *s, struct writer **out, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&s->mutex);
	if (s->writer == NULL)
		rc = writer_open(s->root, &s->writer, e);
	*out = s->writer;
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

static int sync_root(void *ctx, struct err *e)
{
	struct store *s = ctx;

	return storage_sync(s->root, e);
}

int store_checkpoint(struct store *s, struct err *e)
{
	struct writer *w;

	pthread_mutex_lock(&s->mutex);
	w = s->writer;
	pthread_mutex_unlock(&s->mutex);
	return w ? writer_checkpoint(w, sync_root, s, e) : 0;
}
