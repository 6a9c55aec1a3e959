/* SPDX-License-Identifier: ISC */
#include "store/mark.h"

#include "store/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *kind, *path[2], *remedy;
} marks[] = {
	/* clang-format off */
	[MARK_OF_ROOT]   = {"popstore-root",   {"popstore", "popstore.copy"},
			    "remove both and run `popstore init`"},
	[MARK_OF_VOLUME] = {"popstore-volume", {"volume",   "volume.copy"},
			    "as doc/STORE.md, section 4, says"},
	/* clang-format on */
};

static const char begun_path[] = "popstore.begun";

/* ---- one file ----------------------------------------------------------------- */

static int parse(struct str text, const char *kind, struct mark_file *f, struct err *e)
{
	struct buf id;

	if (record_check(text, kind, f->path, e) < 0)
		return -1;
	buf_init(&id, 16);

	bool ok = record_get(text, "store", &id) &&
		  str_hex64(buf_str(&id), &f->store_id) &&
		  record_get_u64(text, "number", &f->number);

	buf_fini(&id);
	return ok ? 0
		  : err_set(e, ERR_TEMP, "4.3.0",
			    "%s is damaged: it lacks its store or its number", f->path);
}

/* is_newer - a program that can read it must, for there is no damage to get round */
static bool is_newer(const struct mark_file *f)
{
	return !f->missing && !f->whole && strcmp(f->why.dsn, "4.3.5") == 0;
}

static void read_file(struct storage *st, enum mark_of of, const char *path,
		      struct mark_file *f)
{
	struct buf text;
	bool found;

	*f = (struct mark_file){.path = path};
	buf_init(&text, RECORD_MAX);
	if (storage_read(st, path, &text, &found, &f->why) == 0) {
		f->missing = !found;
		f->whole =
			found && parse(buf_str(&text), marks[of].kind, f, &f->why) == 0;
	}
	if (f->missing)
		err_set(&f->why, ERR_TEMP, "4.3.0", "%s is missing", path);
	buf_fini(&text);
}

/* put_file - *existed is NULL for one that is to be replaced */
static int put_file(struct storage *st, enum mark_of of, const char *path,
		    const struct mark *m, bool *existed, struct err *e)
{
	int how = STORAGE_DURABLE | (existed ? STORAGE_EXCLUSIVE : 0);
	struct record_writer w;
	char hex[17];

	snprintf(hex, sizeof hex, "%016" PRIx64, m->store_id);
	record_begin(&w, marks[of].kind);
	record_put(&w, "store", str_of(hex));
	record_put_u64(&w, "number", m->number);

	int rc = storage_put(st, path, record_finish(&w), how, existed, e);

	record_fini(&w);
	return rc;
}

static int make_file(struct storage *st, enum mark_of of, const char *path,
		     const struct mark *m, struct err *e)
{
	bool existed;

	if (put_file(st, of, path, m, &existed, e) < 0)
		return -1;
	return existed ? err_set(e, ERR_PERM, "5.3.5",
				 "%s/%s was made by somebody else just now",
				 storage_name(st), path)
		       : 0;
}

/* ---- both ------------------------------------------------------------------------ */

static int two_differ(struct storage *st, const struct mark *m, struct err *e)
{
	return err_set(
		e, ERR_PERM, "5.3.5",
		"%s: %s and %s are of different %s, as if marks had been exchanged: "
		"remove the one that does not belong here",
		storage_name(st), m->file[0].path, m->file[1].path,
		m->file[0].store_id != m->file[1].store_id ? "stores" : "volumes");
}

static int both_bad(struct storage *st, enum mark_of of, const struct mark *m,
		    struct err *e)
{
	const struct mark_file *bad = &m->file[m->file[0].missing];

	/* A disk or a right that is missing is no damage. */
	for (size_t i = 0; i < countof(m->file); i++)
		if (m->file[i].why.sys != 0)
			bad = &m->file[i];
	*e = bad->why;
	if (bad->why.sys != 0)
		return -1;
	return err_set(e, ERR_TEMP, bad->why.dsn,
		       "%s: %s, and %s is no better: put one of them back from a backup, "
		       "or %s",
		       storage_name(st), bad->why.text, m->file[bad == m->file].path,
		       marks[of].remedy);
}

int mark_read(struct storage *st, enum mark_of of, struct mark *out, struct err *e)
{
	struct mark_file *f = out->file;

	*out = (struct mark){0};
	for (size_t i = 0; i < countof(out->file); i++) {
		read_file(st, of, marks[of].path[i], &f[i]);
		if (is_newer(&f[i])) {
			*e = f[i].why;
			return err_add(e, "%s", storage_name(st));
		}
	}
	if (f[0].missing && f[1].missing)
		return 0;
	if (!f[0].whole && !f[1].whole)
		return both_bad(st, of, out, e);
	if (f[0].whole && f[1].whole &&
	    (f[0].store_id != f[1].store_id || f[0].number != f[1].number))
		return two_differ(st, out, e);
	out->found = true;
	out->store_id = f[!f[0].whole].store_id;
	out->number = f[!f[0].whole].number;
	return 0;
}

int mark_complete(struct storage *st, enum mark_of of, const struct mark *m,
		  unsigned *made, struct err *e)
{
	for (size_t i = countof(m->file); i-- > 0;) {
		if (!m->file[i].missing)
			continue;
		if (make_file(st, of, m->file[i].path, m, e) < 0)
			return -1;
		(*made)++;
	}
	return 0;
}

int mark_mend(struct storage *st, enum mark_of of, const struct mark *m,
	      const struct mark_file *bad, struct err *e)
{
	return put_file(st, of, bad->path, m, NULL, e);
}

/* ---- what init has begun ------------------------------------------------------------ */

int mark_read_begun(struct storage *root, struct mark *out, struct err *e)
{
	struct mark_file *f = &out->file[0];

	*out = (struct mark){0};
	read_file(root, MARK_OF_ROOT, begun_path, f);
	out->found = f->whole;
	out->store_id = f->store_id;
	if (f->whole || f->missing)
		return 0;
	*e = f->why;
	return e->sys != 0 ? -1
			   : err_set(e, ERR_TEMP, f->why.dsn,
				     "%s: %s: remove it, and run `popstore init` again",
				     storage_name(root), f->why.text);
}

int mark_begin(struct storage *root, uint64_t store_id, struct err *e)
{
	const struct mark m = {.store_id = store_id};

	return make_file(root, MARK_OF_ROOT, begun_path, &m, e);
}

int mark_end_begun(struct storage *root, struct err *e)
{
	bool there;

	if (storage_exists(root, begun_path, &there, e) < 0)
		return -1;
	return there ? storage_remove(root, begun_path, STORAGE_DURABLE, e) : 0;
}
