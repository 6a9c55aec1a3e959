/* SPDX-License-Identifier: ISC */
#include "store/store.h"

#include "lib/conn.h"
#include "mail/srs.h"
#include "store/account_int.h"
#include "store/domain_int.h"
#include "store/mark.h"
#include "store/record.h"
#include "store/standing.h"
#include "store/storage_probe.h"
#include "store/store_int.h"

#include <errno.h>

/* Nobody writes a file of a few KB for so long. */
enum { SWEEP_AGE_MS = 3600 * 1000 };

/* 300 octets each: 2.5 MB of profiles. */
enum { KNOWN_DOMAINS = 1024, KNOWN_PROFILES = 8192 };

int store_read_record(struct store *s, const char *path, const char *kind,
		      struct buf *out, bool *found, struct err *e)
{
	if (storage_read(s->root, path, out, found, e) < 0)
		return -1;
	return *found ? record_check(buf_str(out), kind, path, e) : 0;
}

const char *const store_trees[] = {"accounts", "domains", "forwardings",
				   "secrets",  "writers", NULL};

int store_has_tree(struct store *s, const char *tree, struct err *e)
{
	bool found;

	if (storage_exists(s->root, tree, &found, e) < 0)
		return -1;
	return found ? 0
		     : err_set(e, ERR_TEMP, "4.3.5",
			       "%s/%s is lost: put it back from a backup; `popstore init` "
			       "makes an empty one",
			       storage_name(s->root), tree);
}

/* ---- opening --------------------------------------------------------------------- */

/* is_away - says what to do, to somebody whose store does not start */
static int is_away(struct err *e, const char *why)
{
	return err_set(e, ERR_TEMP, "4.3.5",
		       "%s: is its disk mounted? The store starts without it when "
		       "store.volumes does not list it",
		       why);
}

static int open_volume(struct store *s, const char *path, struct err *e)
{
	struct volume *v = &s->volumes[s->n_volumes];
	struct mark mark;
	struct err why;

	if (storage_open(path, &v->storage, &why) < 0) {
		if (why.sys == ENOENT)
			return is_away(e, why.text);
		*e = why;
		return -1;
	}
	s->n_volumes++;
	if (mark_read(v->storage, MARK_OF_VOLUME, &mark, e) < 0)
		return -1;
	if (!mark.found) {
		err_set(&why, ERR_TEMP, "4.3.5", "%s has no volume mark", path);
		return is_away(e, why.text);
	}
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

	if (storage_open(set->store.root, &s->root, e) < 0 ||
	    mark_read(s->root, MARK_OF_ROOT, &mark, e) < 0)
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
	if (storage_open(set->store.root, &s->volumes[0].storage, e) < 0)
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
	s->known = known_new(KNOWN_DOMAINS, sizeof(struct domain), domain_read_known);
	s->profiles =
		known_new(KNOWN_PROFILES, sizeof(struct account), account_read_known);
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
	if (s->root != NULL)
		store_alarm(s);
	for (size_t i = 0; i < s->n_volumes; i++)
		storage_close(&s->volumes[i].storage);
	xfree(&s->volumes);
	storage_close(&s->root);
	srs_free(&s->srs);
	known_free(&s->known);
	known_free(&s->profiles);
	pthread_mutex_destroy(&s->mutex);
	xfree(sp);
}

int store_probe(struct store *s, void (*doubt)(const struct err *why), struct err *e)
{
	for (size_t i = 0; i < s->n_volumes; i++) {
		struct err why;

		/* The first one is the root. */
		if (storage_probe(s->volumes[i].storage, s->set->store.trust_file_system,
				  &why, e) < 0)
			return -1;
		if (why.class != ERR_NONE)
			doubt(&why);
	}
	return 0;
}

uint64_t store_id(const struct store *s)
{
	return s->id;
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

int store_sync_volumes(struct store *s, struct err *e)
{
	for (size_t i = 0; i < s->n_volumes; i++)
		if (storage_sync(s->volumes[i].storage, e) < 0)
			return -1;
	return 0;
}

int store_sweep(struct store *s, struct err *e)
{
	uint64_t before = clock_unix_ms() - SWEEP_AGE_MS, swept;

	for (size_t i = 0; i < s->n_volumes; i++)
		if (storage_sweep(s->volumes[i].storage, before, &swept, e) < 0)
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
