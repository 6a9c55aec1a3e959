/* SPDX-License-Identifier: ISC */
/*
 * store_init - makes a store, or gives one that is there more volumes
 *
 * The root's mark comes last and says that everything is there; until then
 * `popstore.begun` keeps the store's id, so that what was stopped anywhere is completed by
 * doing it again.
 */
#include "store/store.h"

#include "store/mark.h"
#include "store/storage_probe.h"
#include "store/store_int.h"
#include "store/volume_number.h"

#include <errno.h>
#include <sys/random.h>

struct making {
	const struct settings *set;
	struct storage *root;
	uint64_t id;
	unsigned made; /* marks and trees */
};

/* open_fit - a place for a new store, on a file system that is fit for one */
static int open_fit(const struct settings *set, const char *path, struct storage **out,
		    struct err *e)
{
	struct err doubt; /* is said at each start of a service */

	if (storage_make(path, e) < 0 || storage_open(path, out, e) < 0)
		return -1;
	if (storage_probe(*out, set->store.trust_file_system, &doubt, e) == 0)
		return 0;
	storage_close(out);
	return -1;
}

/* ---- volumes ----------------------------------------------------------------------- */

/* look - what a configured volume says, as long as nothing is made; not there: nothing */
static int look(const char *path, struct mark *mark, struct err *e)
{
	struct storage *st;

	*mark = (struct mark){0};
	if (storage_open(path, &st, e) < 0)
		return e->sys == ENOENT ? 0 : -1;

	int rc = mark_read(st, MARK_OF_VOLUME, mark, e);

	storage_close(&st);
	return rc;
}

/* keep_numbers - a number whose record is lost must not be given to the next volume */
static int keep_numbers(struct making *m, struct err *e)
{
	for (size_t i = 0; i < m->set->store.volumes.n; i++) {
		const char *path = m->set->store.volumes.v[i];
		struct mark mark;
		bool existed;

		if (look(path, &mark, e) < 0 ||
		    (mark.found && mark.store_id == m->id &&
		     volume_number_keep(m->root, mark.number, path, &existed, e) < 0))
			return -1;
	}
	return 0;
}

/* take_number - for a directory that is empty: mail in it would belong to another number */
static int take_number(struct making *m, struct storage *st, uint64_t *number,
		       struct err *e)
{
	const char *path = storage_name(st);
	bool used;

	if (storage_exists(st, "messages", &used, e) < 0)
		return -1;
	if (used)
		return err_set(e, ERR_PERM, "5.3.5",
			       "%s has lost its volume mark, and holds messages: put the "
			       "mark back from a backup, or as doc/STORE.md, section 4, "
			       "says",
			       path);
	return volume_number_take(m->root, path, number, e);
}

static int init_volume(struct making *m, const char *path, struct err *e)
{
	struct storage *st;
	struct mark mark;
	int rc;

	if (open_fit(m->set, path, &st, e) < 0)
		return -1;
	rc = mark_read(st, MARK_OF_VOLUME, &mark, e);
	if (rc == 0 && mark.found && mark.store_id != m->id)
		rc = err_set(e, ERR_PERM, "5.3.5", "%s belongs to another store", path);
	if (rc == 0 && !mark.found) {
		mark.store_id = m->id;
		rc = take_number(m, st, &mark.number, e);
	}
	if (rc == 0)
		rc = mark_complete(st, MARK_OF_VOLUME, &mark, &m->made, e);
	storage_close(&st);
	return rc;
}

static int init_volumes(struct making *m, struct err *e)
{
	for (size_t i = 0; i < m->set->store.volumes.n; i++)
		if (init_volume(m, m->set->store.volumes.v[i], e) < 0)
			return -1;
	return 0;
}

/* ---- the root ------------------------------------------------------------------------ */

static int init_trees(struct making *m, struct err *e)
{
	for (const char *const *tree = store_trees; *tree != NULL; tree++) {
		bool found;

		if (storage_exists(m->root, *tree, &found, e) < 0 ||
		    storage_make_dir(m->root, *tree, e) < 0)
			return -1;
		m->made += !found;
	}
	return 0;
}

/* find_id - that of a volume whose number this root gave; it has lost its own mark */
static int find_id(struct making *m, bool *found, struct err *e)
{
	*found = false;
	for (size_t i = 0; !*found && i < m->set->store.volumes.n; i++) {
		struct mark mark;
		struct err no_record;

		if (look(m->set->store.volumes.v[i], &mark, e) < 0)
			return -1;
		*found = mark.found &&
			 volume_number_check(m->root, mark.number, &no_record) == 0;
		m->id = mark.store_id;
	}
	return 0;
}

/* is_new - no root that gave numbers to volumes of which none is here now: it would get
 * another id than they have */
static int is_new(struct making *m, struct err *e)
{
	struct storage_names *names;
	bool has_volumes;

	if (storage_list(m->root, "volumes", &names, e) < 0)
		return -1;
	has_volumes = storage_names_next(names) != NULL;
	if (storage_names_end(&names, e) < 0)
		return -1;
	return has_volumes
		       ? err_set(e, ERR_TEMP, "4.3.5",
				 "%s has lost its mark, and no volume tells what it "
				 "was: are their disks mounted, and in store.volumes?",
				 storage_name(m->root))
		       : 0;
}

/* begin_root - the id that the store will have, under another name than the mark's: what
 * was stopped halfway is completed with the id that its volumes have already */
static int begin_root(struct making *m, struct err *e)
{
	struct mark begun;
	bool known;

	if (mark_read_begun(m->root, &begun, e) < 0)
		return -1;
	m->id = begun.store_id;
	if (begun.found)
		return 0;
	if (find_id(m, &known, e) < 0 || (!known && is_new(m, e) < 0))
		return -1;
	if (!known && getrandom(&m->id, sizeof m->id, 0) != (ssize_t)sizeof m->id)
		return err_sys(e, "an id for the store in %s", storage_name(m->root));
	return mark_begin(m->root, m->id, e);
}

static int init(struct making *m, struct err *e)
{
	struct mark mark;

	if (mark_read(m->root, MARK_OF_ROOT, &mark, e) < 0 || init_trees(m, e) < 0)
		return -1;
	m->id = mark.store_id;
	if ((!mark.found && begin_root(m, e) < 0) || keep_numbers(m, e) < 0 ||
	    init_volumes(m, e) < 0)
		return -1;
	mark.store_id = m->id;
	if (mark_complete(m->root, MARK_OF_ROOT, &mark, &m->made, e) < 0 ||
	    mark_end_begun(m->root, e) < 0)
		return -1;
	return m->made > 0 ? 0
			   : err_set(e, ERR_PERM, "5.3.5", "%s is a popstore already",
				     storage_name(m->root));
}

int store_init(const struct settings *set, struct err *e)
{
	struct making m = {.set = set};

	if (open_fit(set, set->store.root, &m.root, e) < 0)
		return -1;

	int rc = init(&m, e);

	storage_close(&m.root);
	return rc;
}
