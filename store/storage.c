/* SPDX-License-Identifier: ISC */
#include "store/storage_engine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- engines -------------------------------------------------------------------- */

enum { ENGINES_MAX = 8, REMOVE_TRIES = 100 };

static const struct storage_engine *engines[ENGINES_MAX] = {&storage_posix};

void storage_add_engine(const struct storage_engine *engine)
{
	size_t i = 0;

	while (i < ENGINES_MAX && engines[i] != NULL)
		i++;
	must(i < ENGINES_MAX);
	engines[i] = engine;
}

/* engine_of - by the scheme of "scheme:rest"; what has none that is known is a directory */
static const struct storage_engine *engine_of(const char **place)
{
	for (size_t i = 0; i < ENGINES_MAX && engines[i] != NULL; i++) {
		size_t n = strlen(engines[i]->scheme);

		if (strncmp(*place, engines[i]->scheme, n) == 0 && (*place)[n] == ':') {
			*place += n + 1;
			return engines[i];
		}
	}
	return &storage_posix;
}

int storage_make(const char *place, struct err *e)
{
	const struct storage_engine *engine = engine_of(&place);

	return engine->make(place, e);
}

int storage_open(const char *place, struct storage **out, struct err *e)
{
	const struct storage_engine *engine = engine_of(&place);

	*out = NULL;
	if (engine->open(place, out, e) < 0)
		return -1;
	(*out)->engine = engine;
	return 0;
}

void storage_close(struct storage **st)
{
	if (*st == NULL)
		return;
	(*st)->engine->close(*st);
	*st = NULL;
}

const char *storage_name(const struct storage *st)
{
	return st->name;
}

const char *storage_mount_identity(const struct storage *st)
{
	return st->mount;
}

int storage_space(struct storage *st, struct storage_space *out, struct err *e)
{
	return st->engine->space(st, out, e);
}

/* ---- a sync that failed ------------------------------------------------------------ */

bool storage_failed(const struct storage *st)
{
	return atomic_load(&st->failed);
}

const char *storage_failure(const struct storage *st)
{
	return storage_failed(st) ? st->failure.text : "";
}

int storage_sync_failed(struct storage *st, const char *path, struct err *e)
{
	err_sys(e, "sync %s/%s", st->name, path);
	/* Whatever errno says, room that is made now brings nothing back. */
	snprintf(e->dsn, sizeof e->dsn, "4.3.0");
	if (!atomic_exchange(&st->failing, true)) {
		st->failure = *e;
		atomic_store(&st->failed, true);
	}
	return -1;
}

/* may_write - asked before whatever adds something or promises that something stays.
 * What only takes away, and may come back after a crash without harm, goes on. */
static int may_write(const struct storage *st, struct err *e)
{
	if (storage_failed(st))
		return err_set(
			e, ERR_TEMP, "4.3.0",
			"%s takes no writes since a sync failed; check the disk and restart",
			st->name);
	return 0;
}

int storage_sync(struct storage *st, struct err *e)
{
	return may_write(st, e) < 0 ? -1 : st->engine->sync(st, e);
}

/* ---- whole objects, directories ------------------------------------------------------ */

int storage_read(struct storage *st, const char *path, struct buf *out, bool *found,
		 struct err *e)
{
	return st->engine->read(st, path, out, found, e);
}

int storage_put(struct storage *st, const char *path, struct str bytes, int flags,
		bool *existed, struct err *e)
{
	bool unused;

	if (existed == NULL)
		existed = &unused;
	*existed = false;
	if (may_write(st, e) < 0)
		return -1;
	return st->engine->put(st, path, bytes, flags, existed, e);
}

int storage_remove(struct storage *st, const char *path, int flags, struct err *e)
{
	if ((flags & STORAGE_DURABLE) && may_write(st, e) < 0)
		return -1;
	return st->engine->remove(st, path, flags, e);
}

int storage_rename(struct storage *st, const char *from, const char *to, bool *existed,
		   struct err *e)
{
	*existed = false;
	if (may_write(st, e) < 0)
		return -1;
	return st->engine->rename(st, from, to, existed, e);
}

int storage_exists(struct storage *st, const char *path, bool *found, struct err *e)
{
	return st->engine->exists(st, path, found, e);
}

int storage_stamp(struct storage *st, const char *path, uint64_t *stamp, bool *found,
		  struct err *e)
{
	*stamp = 0;
	*found = true;
	return st->engine->stamp ? st->engine->stamp(st, path, stamp, found, e) : 0;
}

int storage_fetch(struct storage *st, const char *path, char *to, size_t n, size_t *got,
		  bool *found, struct err *e)
{
	*got = 0;
	*found = true;
	return st->engine->fetch ? st->engine->fetch(st, path, to, n, got, found, e) : 0;
}

void storage_uncache(struct storage *st, const char *path)
{
	if (st->engine->uncache != NULL)
		st->engine->uncache(st, path);
}

int storage_make_dir(struct storage *st, const char *path, struct err *e)
{
	return may_write(st, e) < 0 ? -1 : st->engine->make_dir(st, path, e);
}

int storage_remove_dir(struct storage *st, const char *path, struct err *e)
{
	return st->engine->remove_dir(st, path, e);
}

/* remove_below - an object or a whole directory */
static int remove_below(struct storage *st, const char *path, const char *name,
			struct err *e)
{
	char inner[PATH_MAX];

	snprintf(inner, sizeof inner, "%s/%s", path, name);
	if (st->engine->remove(st, inner, 0, e) == 0)
		return 0;
	return e->sys == EISDIR || e->sys == EPERM ? storage_remove_tree(st, inner, e)
						   : -1;
}

static int remove_once(struct storage *st, const char *path, struct err *e)
{
	struct storage_names *names;
	const char *name;
	int rc = 0;

	if (st->engine->list(st, path, true, &names, e) < 0)
		return -1;
	while (rc == 0 && (name = storage_names_next(names)) != NULL)
		rc = remove_below(st, path, name, e);
	if (storage_names_end(&names, e) < 0)
		return -1;
	return rc < 0 ? rc : storage_remove_dir(st, path, e);
}

/* Somebody who has not heard that it goes may put an object into it meanwhile. */
int storage_remove_tree(struct storage *st, const char *path, struct err *e)
{
	bool found = true;

	for (int tries = 0; found && tries < REMOVE_TRIES; tries++)
		if (remove_once(st, path, e) < 0 ||
		    storage_exists(st, path, &found, e) < 0)
			return -1;
	return found ? err_set(e, ERR_TEMP, "4.3.0", "%s/%s does not get empty",
			       storage_name(st), path)
		     : 0;
}

int storage_list(struct storage *st, const char *path, struct storage_names **out,
		 struct err *e)
{
	return st->engine->list(st, path, false, out, e);
}

const char *storage_names_next(struct storage_names *n)
{
	return n->st->engine->names_next(n);
}

int storage_names_end(struct storage_names **n, struct err *e)
{
	struct storage_names *names = *n;

	*n = NULL;
	return names->st->engine->names_end(names, e);
}

int storage_sweep(struct storage *st, uint64_t before_ms, uint64_t *swept, struct err *e)
{
	*swept = 0;
	return st->engine->sweep ? st->engine->sweep(st, before_ms, swept, e) : 0;
}

/* ---- drafts ------------------------------------------------------------------------------ */

int storage_draft_begin(struct storage *st, const char *path, struct storage_draft **out,
			struct err *e)
{
	*out = NULL;
	return may_write(st, e) < 0 ? -1 : st->engine->draft_begin(st, path, out, e);
}

int storage_draft_write(struct storage_draft *d, struct str bytes, struct err *e)
{
	if (d->st->engine->draft_write(d, d->at, bytes, e) < 0)
		return -1;
	d->at += bytes.n;
	return 0;
}

int storage_draft_rewrite(struct storage_draft *d, uint64_t offset, struct str bytes,
			  struct err *e)
{
	must(offset + bytes.n <= d->at);
	return d->st->engine->draft_write(d, offset, bytes, e);
}

int storage_draft_read(struct storage_draft *d, uint64_t offset, char *to, size_t n,
		       size_t *got, struct err *e)
{
	return d->st->engine->draft_read(d, offset, to, n, got, e);
}

int storage_draft_commit(struct storage_draft *d, struct err *e)
{
	return may_write(d->st, e) < 0 ? -1 : d->st->engine->draft_commit(d, e);
}

void storage_draft_end(struct storage_draft **d)
{
	if (*d == NULL)
		return;
	(*d)->st->engine->draft_end(*d);
	*d = NULL;
}

/* ---- open objects ---------------------------------------------------------------------------- */

int storage_file_open(struct storage *st, const char *path, enum storage_mode mode,
		      struct storage_file **out, bool *found, struct err *e)
{
	*out = NULL;
	*found = false;
	if (mode == STORAGE_APPEND && may_write(st, e) < 0)
		return -1;
	return st->engine->file_open(st, path, mode, out, found, e);
}

void storage_file_close(struct storage_file **f)
{
	if (*f == NULL)
		return;
	(*f)->st->engine->file_close(*f);
	*f = NULL;
}

int storage_file_fd(const struct storage_file *f)
{
	return f->st->engine->file_fd(f);
}

int storage_file_size(struct storage_file *f, uint64_t *out, struct err *e)
{
	return f->st->engine->file_size(f, out, e);
}

int storage_file_read(struct storage_file *f, uint64_t offset, char *to, size_t n,
		      size_t *got, struct err *e)
{
	return f->st->engine->file_read(f, offset, to, n, got, e);
}

int storage_file_append(struct storage_file *f, uint64_t at, struct str bytes,
			struct err *e)
{
	struct err cut;
	uint64_t size;

	if (may_write(f->st, e) < 0 || storage_file_size(f, &size, e) < 0)
		return -1;
	if (size != at)
		return err_set(e, ERR_TEMP, "4.3.0", "%s/%s changed while it was locked",
			       f->st->name, f->path);
	if (f->st->engine->file_write(f, at, bytes, e) == 0)
		return 0;
	/* A piece of a line may be there.  If even this fails the next writer cuts
	 * it, as after a crash. */
	if (f->st->engine->file_cut(f, at, &cut) < 0)
		err_add(e, "cut failed");
	return -1;
}

int storage_file_put_octet(struct storage_file *f, uint64_t offset, char octet,
			   struct err *e)
{
	return f->st->engine->file_write(f, offset, (struct str){&octet, 1}, e);
}

int storage_file_cut(struct storage_file *f, uint64_t size, struct err *e)
{
	return f->st->engine->file_cut(f, size, e);
}

int storage_file_sync(struct storage_file *f, struct err *e)
{
	return may_write(f->st, e) < 0 ? -1 : f->st->engine->file_sync(f, e);
}

int storage_file_lock(struct storage_file *f, bool *gone, struct err *e)
{
	return f->st->engine->file_lock(f, gone, e);
}

int storage_file_open_locked(struct storage *st, const char *path, enum storage_mode mode,
			     struct storage_file **out, struct err *e)
{
	bool gone = true, found;

	*out = NULL;
	/* Whoever replaces or removes the object does it under its lock; whoever waited
	 * for that lock holds one without a name then. */
	while (gone) {
		if (storage_file_open(st, path, mode, out, &found, e) < 0)
			return -1;
		if (!found)
			return 0;
		if (storage_file_lock(*out, &gone, e) < 0) {
			storage_file_close(out);
			return -1;
		}
		if (gone)
			storage_file_close(out);
	}
	return 0;
}

/* ---- leases ------------------------------------------------------------------------------------ */

int storage_lease_take(struct storage *st, const char *path, struct storage_lease **out,
		       struct err *e)
{
	*out = NULL;
	return st->engine->lease_take(st, path, out, e);
}

void storage_lease_drop(struct storage_lease **l)
{
	if (*l == NULL)
		return;
	(*l)->st->engine->lease_drop(*l);
	*l = NULL;
}

uint64_t storage_lease_time_ms(const struct storage_lease *l)
{
	return l->time_ms;
}

int storage_lease_set_time(struct storage_lease *l, uint64_t unix_ms, struct err *e)
{
	return l->st->engine->lease_set_time(l, unix_ms, e);
}
