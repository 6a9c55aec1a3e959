/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { DISKS_MAX = 4, HELD_MAX = 64, CALLS_MAX = 1 << 16 };

/* ---- the machine ---------------------------------------------------------------------- */

struct memory_disk {
	char name[32];
	struct disk *disk;
};

struct held { /* a lock or a lease */
	struct memory_disk *on;
	int node;
};

static struct machine {
	struct memory_disk disks[DISKS_MAX];
	unsigned boot;
	struct memory_fault fault;
	uint64_t calls;
	unsigned char classes[CALLS_MAX];
	bool struck, stopped, full;
	int error; /* why the call under way fails */
	enum memory_lie lie;
	struct memory_disk *late; /* MEMORY_LATE_SYNC: whose node waits for its sync */
	int late_node;
	bool ripe; /* the next call may do it */
	struct held held[HELD_MAX];
	size_t n_held;
	unsigned open, hidden;
} machine;

void memory_set_fault(const struct memory_fault *f)
{
	machine.fault = f ? *f : (struct memory_fault){0};
	machine.calls = 0;
	machine.struck = false;
}

uint64_t memory_calls(void)
{
	return machine.calls;
}

enum memory_class memory_class_of(uint64_t call)
{
	must(call > 0 && call <= machine.calls && call < CALLS_MAX);
	return (enum memory_class)machine.classes[call];
}

bool memory_struck(void)
{
	return machine.struck;
}

void memory_stop(void)
{
	machine.stopped = true;
}

void memory_set_full(bool full)
{
	machine.full = full;
}

void memory_set_lie(enum memory_lie lie)
{
	machine.lie = lie;
	machine.late = NULL;
}

unsigned memory_open_objects(void)
{
	return machine.open;
}

/* ---- one call ----------------------------------------------------------------------------- */

static int refuse(int error)
{
	errno = error;
	return -1;
}

/* hits - this call is one that fails */
static bool hits(enum memory_class class)
{
	const struct memory_fault *f = &machine.fault;

	if (f->at == 0 || machine.calls < f->at)
		return false;
	if (machine.calls == f->at)
		return true;
	if (f->how_long == MEMORY_CLASS_FOREVER)
		return class == memory_class_of(f->at);
	return f->how_long == MEMORY_ALL_FOREVER;
}

/* How a call went: it does its work if may_work(), and returns end(). */
enum call { CALL_GOOD, CALL_NOT, CALL_HALF, CALL_FAILS_AFTER };

static void sync_late(void)
{
	disk_sync(machine.late->disk, machine.late_node);
	machine.late = NULL;
	machine.ripe = false;
}

static enum call begin(enum memory_class class)
{
	const struct memory_fault *f = &machine.fault;

	machine.calls++;
	must(machine.calls < CALLS_MAX);
	machine.classes[machine.calls] = (unsigned char)class;
	machine.error = machine.full && class == MEMORY_ADD ? ENOSPC : 0;
	if (hits(class)) {
		machine.struck = true;
		machine.error = f->error;
		machine.stopped |= f->how == MEMORY_STOP;
	}
	if (machine.stopped)
		machine.error = EIO;
	else if (machine.ripe)
		sync_late();
	if (machine.error == 0)
		return CALL_GOOD;
	if (machine.stopped || !hits(class))
		return CALL_NOT;
	if (f->how == MEMORY_AFTER)
		return CALL_FAILS_AFTER;
	return f->how == MEMORY_HALF ? CALL_HALF : CALL_NOT;
}

static bool may_work(enum call c)
{
	return c == CALL_GOOD || c == CALL_FAILS_AFTER;
}

static int end(enum call c)
{
	return c == CALL_GOOD ? 0 : refuse(machine.error);
}

/* ---- disks and what is open ------------------------------------------------------------------ */

struct memory {
	struct storage base;
	struct memory_disk *on;
};

static struct memory_disk *disk_named(const char *name, bool make)
{
	for (size_t i = 0; i < DISKS_MAX; i++) {
		struct memory_disk *d = &machine.disks[i];

		if (d->disk != NULL && strcmp(d->name, name) == 0)
			return d;
		if (d->disk == NULL && make) {
			snprintf(d->name, sizeof d->name, "%s", name);
			d->disk = disk_new();
			return d;
		}
	}
	return NULL;
}

struct disk *memory_disk(const char *name)
{
	struct memory_disk *d = disk_named(name, false);

	must(d != NULL);
	return d->disk;
}

static struct memory_disk *on(const struct storage *st)
{
	return ((const struct memory *)st)->on;
}

static struct disk *of(const struct storage *st)
{
	return on(st)->disk;
}

static bool is_held(const struct memory_disk *d, int node)
{
	for (size_t i = 0; i < machine.n_held; i++)
		if (machine.held[i].on == d && machine.held[i].node == node)
			return true;
	return false;
}

static void hold(struct memory_disk *d, int node)
{
	must(machine.n_held < HELD_MAX);
	machine.held[machine.n_held++] = (struct held){d, node};
}

static void let_go(const struct memory_disk *d, int node)
{
	for (size_t i = 0; i < machine.n_held; i++)
		if (machine.held[i].on == d && machine.held[i].node == node) {
			machine.held[i] = machine.held[--machine.n_held];
			return;
		}
}

static int memory_make(const char *place, struct err *e)
{
	enum call c = begin(MEMORY_ADD);

	if (may_work(c))
		must(disk_named(place, true) != NULL);
	return end(c) < 0 ? err_sys(e, "make memory:%s", place) : 0;
}

static int memory_open(const char *place, struct storage **out, struct err *e)
{
	struct memory_disk *d = disk_named(place, false);
	struct memory *m;

	if (d == NULL)
		errno = ENOENT;
	if (d == NULL || end(begin(MEMORY_LOOK)) < 0)
		return err_sys(e, "open memory:%s", place);
	m = xalloc(sizeof *m);
	m->on = d;
	m->base.name = xalloc(strlen(place) + sizeof "memory:");
	sprintf(m->base.name, "memory:%s", place); /* lint: ok */
	snprintf(m->base.mount, sizeof m->base.mount, "boot-%u", machine.boot);
	machine.open++;
	*out = &m->base;
	return 0;
}

static void memory_close(struct storage *st)
{
	machine.open--;
	xfree(&st->name);
	xfree(&st);
}

static int memory_space(struct storage *st, struct storage_space *out, struct err *e)
{
	*out = (struct storage_space){
		.octets = machine.full ? 0 : UINT64_C(1) << 40,
		.objects = UINT64_MAX,
	};
	return end(begin(MEMORY_LOOK)) < 0 ? err_sys(e, "statvfs %s", st->name) : 0;
}

/* ---- steps: each is one call --------------------------------------------------------------------- */

/* sync_node - of everything with DISK_NOBODY; `lie`: answered, not done */
static int sync_node(struct storage *st, int node, bool lie, const char *path,
		     struct err *e)
{
	enum call c = begin(MEMORY_SYNC);

	if (may_work(c) && !lie)
		disk_sync(of(st), node);
	else if (c == CALL_NOT && !machine.stopped)
		disk_lose(of(st), node);
	return end(c) < 0 ? storage_sync_failed(st, path, e) : 0;
}

static int sync_dir_of(struct storage *st, const char *path, struct err *e)
{
	const char *leaf;
	int dir = disk_find_parent(of(st), path, &leaf);

	if (end(begin(MEMORY_LOOK)) < 0 || dir < 0)
		return err_sys(e, "open the directory of %s/%s", st->name, path);
	return sync_node(st, dir, machine.lie == MEMORY_NO_DIR_SYNC, path, e);
}

/* make_dirs - the directories above a path, each synced into the one above it */
static int make_dirs(struct storage *st, const char *path, bool durable, struct err *e)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/'), *leaf;
	enum call c;
	int above;

	if (slash == NULL)
		return 0;
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	if (disk_find(of(st), dir) >= 0)
		return end(begin(MEMORY_LOOK)) < 0
			       ? err_sys(e, "make directory %s/%s", st->name, dir)
			       : 0;
	if (make_dirs(st, dir, durable, e) < 0)
		return -1;
	above = disk_find_parent(of(st), dir, &leaf);
	c = begin(MEMORY_ADD);
	if (above >= 0 && may_work(c))
		disk_link(of(st), above, leaf, disk_make(of(st), true));
	if (above < 0 || end(c) < 0)
		return err_sys(e, "make directory %s/%s", st->name, dir);
	return durable ? sync_dir_of(st, dir, e) : 0;
}

/* link_new - a name in the directory of `path`; EEXIST when it is taken */
static int link_new(struct storage *st, const char *path, int node, struct err *e)
{
	const char *leaf;
	int dir = disk_find_parent(of(st), path, &leaf);
	bool taken = dir >= 0 && disk_in(of(st), dir, leaf) >= 0;
	enum call c = begin(MEMORY_ADD);

	if (dir >= 0 && !taken && may_work(c))
		disk_link(of(st), dir, leaf, node);
	if (end(c) < 0 || (dir < 0 && refuse(ENOENT) < 0) ||
	    (taken && refuse(EEXIST) < 0))
		return err_sys(e, "link %s/%s", st->name, path);
	return 0;
}

static int unlink_at(struct storage *st, const char *path, bool want_dir, struct err *e)
{
	const char *leaf;
	int dir = disk_find_parent(of(st), path, &leaf);
	int node = dir < 0 ? DISK_NOBODY : disk_in(of(st), dir, leaf);
	enum call c = begin(MEMORY_TAKE);
	int wrong = 0;

	if (node < 0)
		wrong = ENOENT;
	else if (!want_dir && disk_is_dir(of(st), node))
		wrong = EISDIR;
	else if (want_dir && !disk_is_dir(of(st), node))
		wrong = ENOTDIR;
	else if (want_dir && disk_entries(of(st), node) > 0)
		wrong = ENOTEMPTY;
	if (wrong == 0 && may_work(c))
		disk_unlink(of(st), dir, leaf);
	if (end(c) < 0 || (wrong != 0 && refuse(wrong) < 0))
		return err_sys(e, "remove %s/%s", st->name, path);
	return 0;
}

/* write_node - half of it, where the fault says so */
static int write_node(struct storage *st, int node, uint64_t offset, struct str bytes,
		      const char *path, struct err *e)
{
	bool inside = offset + bytes.n <= disk_octets(of(st), node).n;
	enum call c = begin(inside ? MEMORY_TAKE : MEMORY_ADD);

	if (c == CALL_HALF)
		bytes.n /= 2;
	if ((may_work(c) || c == CALL_HALF) && bytes.n > 0)
		disk_write(of(st), node, offset, bytes);
	return end(c) < 0 ? err_sys(e, "write %s/%s", st->name, path) : 0;
}

/* make_file - a new one without a name; the call that makes it */
static int make_file(struct storage *st, const char *path, int *node, struct err *e)
{
	const char *leaf;
	int dir = disk_find_parent(of(st), path, &leaf);
	enum call c = begin(MEMORY_ADD);

	if (end(c) < 0 || dir < 0)
		return err_sys(e, "create %s/%s", st->name, path);
	*node = disk_make(of(st), false);
	return 0;
}

/* ---- whole objects, directories --------------------------------------------------------------------- */

static int memory_sync(struct storage *st, struct err *e)
{
	return sync_node(st, DISK_NOBODY, false, ".", e);
}

static int memory_read(struct storage *st, const char *path, struct buf *out, bool *found,
		       struct err *e)
{
	int node = disk_find(of(st), path);
	bool lost = node < 0 && errno == ENOTDIR;

	*found = node >= 0;
	if (end(begin(MEMORY_LOOK)) < 0 || (lost && refuse(ENOTDIR) < 0))
		return err_sys(e, "open %s/%s", st->name, path);
	if (node < 0)
		return 0;
	if (disk_is_dir(of(st), node))
		errno = EISDIR;
	if (disk_is_dir(of(st), node) || end(begin(MEMORY_LOOK)) < 0)
		return err_sys(e, "read %s/%s", st->name, path);
	buf_put(out, disk_octets(of(st), node));
	if (buf_over(out))
		return err_set(e, ERR_TEMP, "4.3.0", "%s/%s is longer than %zu octets",
			       st->name, path, out->max);
	return 0;
}

static int put_exclusive(struct storage *st, const char *path, struct str bytes,
			 int flags, bool *existed, struct err *e)
{
	int node;

	if (make_file(st, path, &node, e) < 0 ||
	    write_node(st, node, 0, bytes, path, e) < 0 ||
	    ((flags & STORAGE_DURABLE) && sync_node(st, node, false, path, e) < 0))
		return -1;
	if (link_new(st, path, node, e) < 0) {
		*existed = e->sys == EEXIST;
		return *existed ? 0 : -1;
	}
	return flags & STORAGE_DURABLE ? sync_dir_of(st, path, e) : 0;
}

static int rename_over(struct storage *st, const char *from, const char *to,
		       struct err *e)
{
	const char *from_leaf, *to_leaf;
	int from_dir = disk_find_parent(of(st), from, &from_leaf);
	int to_dir = disk_find_parent(of(st), to, &to_leaf);
	bool there =
		from_dir >= 0 && to_dir >= 0 && disk_in(of(st), from_dir, from_leaf) >= 0;
	enum call c = begin(MEMORY_ADD);

	if (there && may_work(c))
		disk_rename(of(st), from_dir, from_leaf, to_dir, to_leaf);
	if (!there)
		errno = ENOENT;
	return !there || end(c) < 0 ? err_sys(e, "rename %s/%s", st->name, from) : 0;
}

static int put_replace(struct storage *st, const char *path, struct str bytes, int flags,
		       struct err *e)
{
	const char *slash = strrchr(path, '/');
	char temp[PATH_MAX];
	struct err ignored;
	int node;

	snprintf(temp, sizeof temp, "%.*s.new.%u", slash ? (int)(slash - path) + 1 : 0,
		 path, machine.hidden++);
	if (make_file(st, temp, &node, e) < 0)
		return -1;
	disk_link(of(st), disk_find_parent(of(st), temp, &(const char *){NULL}),
		  strrchr(temp, '/') ? strrchr(temp, '/') + 1 : temp, node);
	if (write_node(st, node, 0, bytes, temp, e) < 0 ||
	    sync_node(st, node, false, temp, e) < 0 ||
	    rename_over(st, temp, path, e) < 0) {
		(void)!unlink_at(st, temp, false, &ignored);
		return -1;
	}
	return flags & STORAGE_DURABLE ? sync_dir_of(st, path, e) : 0;
}

static int memory_put(struct storage *st, const char *path, struct str bytes, int flags,
		      bool *existed, struct err *e)
{
	if (make_dirs(st, path, flags & STORAGE_DURABLE, e) < 0)
		return -1;
	if (flags & STORAGE_EXCLUSIVE)
		return put_exclusive(st, path, bytes, flags, existed, e);
	return put_replace(st, path, bytes, flags, e);
}

static int memory_remove(struct storage *st, const char *path, int flags, struct err *e)
{
	const char *leaf;

	if (unlink_at(st, path, false, e) < 0 && e->sys != ENOENT)
		return -1;
	if (!(flags & STORAGE_DURABLE) || disk_find_parent(of(st), path, &leaf) < 0)
		return 0;
	return sync_dir_of(st, path, e);
}

static int memory_rename(struct storage *st, const char *from, const char *to,
			 bool *existed, struct err *e)
{
	if (make_dirs(st, to, true, e) < 0)
		return -1;
	*existed = disk_find(of(st), to) >= 0;
	if (*existed)
		return 0;
	return rename_over(st, from, to, e) < 0 || sync_dir_of(st, to, e) < 0 ||
			       sync_dir_of(st, from, e) < 0
		       ? -1
		       : 0;
}

static int memory_exists(struct storage *st, const char *path, bool *found, struct err *e)
{
	int node = disk_find(of(st), path);
	bool lost = node < 0 && errno == ENOTDIR;

	*found = node >= 0;
	if (end(begin(MEMORY_LOOK)) < 0 || (lost && refuse(ENOTDIR) < 0))
		return err_sys(e, "look for %s/%s", st->name, path);
	return 0;
}

static int memory_make_dir(struct storage *st, const char *path, struct err *e)
{
	char inside[PATH_MAX];

	snprintf(inside, sizeof inside, "%s/.", path);
	return make_dirs(st, inside, true, e);
}

static int memory_remove_dir(struct storage *st, const char *path, struct err *e)
{
	if (unlink_at(st, path, true, e) < 0 && e->sys != ENOENT && e->sys != ENOTEMPTY)
		return -1;
	return 0;
}

struct memory_names {
	struct storage_names base;
	size_t n, at;
	const char *v[];
};

static int memory_list(struct storage *st, const char *path, bool hidden,
		       struct storage_names **out, struct err *e)
{
	int dir = disk_find(of(st), path);
	size_t n = dir < 0 ? 0 : disk_entries(of(st), dir);
	struct memory_names *names;

	if (end(begin(MEMORY_LOOK)) < 0)
		return err_sys(e, "list %s/%s", st->name, path);
	if (dir >= 0 && !disk_is_dir(of(st), dir) && refuse(ENOTDIR) < 0)
		return err_sys(e, "list %s/%s", st->name, path);
	names = xalloc(sizeof *names + n * sizeof *names->v);
	names->base.st = st;
	for (size_t i = 0; i < n; i++) {
		const char *name = disk_entry(of(st), dir, i);

		if (hidden || name[0] != '.')
			names->v[names->n++] = name;
	}
	machine.open++;
	*out = &names->base;
	return 0;
}

static const char *memory_names_next(struct storage_names *base)
{
	struct memory_names *n = (struct memory_names *)base;

	return n->at < n->n ? n->v[n->at++] : NULL;
}

static int memory_names_end(struct storage_names *n, struct err *e)
{
	int rc = end(begin(MEMORY_LOOK));

	if (rc < 0)
		err_sys(e, "read a directory of %s", n->st->name);
	machine.open--;
	xfree(&n);
	return rc;
}

/* ---- drafts -------------------------------------------------------------------------------------------- */

struct memory_draft {
	struct storage_draft base;
	int node;
	char path[];
};

static int memory_draft_begin(struct storage *st, const char *path,
			      struct storage_draft **out, struct err *e)
{
	size_t n = strlen(path) + 1;
	struct memory_draft *d;
	int node;

	if (make_dirs(st, path, true, e) < 0 || make_file(st, path, &node, e) < 0)
		return -1;
	d = xalloc(sizeof *d + n);
	d->base.st = st;
	d->base.path = memcpy(d->path, path, n);
	d->node = node;
	machine.open++;
	*out = &d->base;
	return 0;
}

static int node_of(const struct storage_draft *d)
{
	return ((const struct memory_draft *)d)->node;
}

static int memory_draft_write(struct storage_draft *d, uint64_t offset, struct str bytes,
			      struct err *e)
{
	return write_node(d->st, node_of(d), offset, bytes, d->path, e);
}

static void copy_out(struct str from, uint64_t offset, char *to, size_t n, size_t *got)
{
	size_t there = offset < from.n ? from.n - offset : 0;

	*got = there < n ? there : n;
	if (*got > 0)
		memcpy(to, from.p + offset, *got);
}

static int memory_draft_read(struct storage_draft *d, uint64_t offset, char *to, size_t n,
			     size_t *got, struct err *e)
{
	*got = 0;
	if (end(begin(MEMORY_LOOK)) < 0)
		return err_sys(e, "read %s/%s", d->st->name, d->path);
	copy_out(disk_octets(of(d->st), node_of(d)), offset, to, n, got);
	return 0;
}

static int memory_draft_commit(struct storage_draft *d, struct err *e)
{
	struct err ignored;
	int node = node_of(d);

	if (link_new(d->st, d->path, node, e) < 0)
		return -1;
	if (sync_node(d->st, node, machine.lie == MEMORY_NO_COMMIT_SYNC, d->path, e) == 0)
		return 0;
	(void)!unlink_at(d->st, d->path, false, &ignored);
	return -1;
}

static void memory_draft_end(struct storage_draft *d)
{
	machine.open--;
	xfree(&d);
}

/* ---- open objects ------------------------------------------------------------------------------------------ */

struct memory_file {
	struct storage_file base;
	int node;
	bool locked;
	char path[];
};

static int open_node(struct storage *st, const char *path, enum storage_mode mode,
		     int *node, struct err *e)
{
	const char *leaf;

	*node = disk_find(of(st), path);

	bool lost = *node < 0 && errno == ENOTDIR;

	if (end(begin(MEMORY_LOOK)) < 0 || (lost && refuse(ENOTDIR) < 0))
		return err_sys(e, "open %s/%s", st->name, path);
	if (*node >= 0 || mode != STORAGE_APPEND ||
	    disk_find_parent(of(st), path, &leaf) < 0)
		return 0;
	return make_file(st, path, node, e) < 0 ? -1 : link_new(st, path, *node, e);
}

static int memory_file_open(struct storage *st, const char *path, enum storage_mode mode,
			    struct storage_file **out, bool *found, struct err *e)
{
	size_t n = strlen(path) + 1;
	struct memory_file *f;
	int node;

	if (open_node(st, path, mode, &node, e) < 0)
		return -1;
	*found = node >= 0;
	if (node < 0)
		return 0;
	f = xalloc(sizeof *f + n);
	f->base.st = st;
	f->base.path = memcpy(f->path, path, n);
	f->node = node;
	machine.open++;
	*out = &f->base;
	return 0;
}

static int file_node(const struct storage_file *f)
{
	return ((const struct memory_file *)f)->node;
}

static void memory_file_close(struct storage_file *base)
{
	struct memory_file *f = (struct memory_file *)base;

	if (f->locked)
		let_go(on(base->st), f->node);
	machine.open--;
	xfree(&f);
}

static int memory_file_fd(const struct storage_file *f UNUSED)
{
	return -1;
}

static int file_error(const struct storage_file *f, const char *verb, struct err *e)
{
	return err_sys(e, "%s %s/%s", verb, f->st->name, f->path);
}

static int memory_file_size(struct storage_file *f, uint64_t *out, struct err *e)
{
	if (end(begin(MEMORY_LOOK)) < 0)
		return file_error(f, "stat", e);
	*out = disk_octets(of(f->st), file_node(f)).n;
	return 0;
}

static int memory_file_read(struct storage_file *f, uint64_t offset, char *to, size_t n,
			    size_t *got, struct err *e)
{
	*got = 0;
	if (end(begin(MEMORY_LOOK)) < 0)
		return file_error(f, "read", e);
	copy_out(disk_octets(of(f->st), file_node(f)), offset, to, n, got);
	return 0;
}

static int memory_file_write(struct storage_file *f, uint64_t offset, struct str bytes,
			     struct err *e)
{
	bool inside = offset + bytes.n <= disk_octets(of(f->st), file_node(f)).n;

	if (machine.lie == MEMORY_NO_APPEND && !inside)
		return 0;

	int rc = write_node(f->st, file_node(f), offset, bytes, f->path, e);

	machine.ripe = machine.late != NULL && inside;
	return rc;
}

static int memory_file_cut(struct storage_file *f, uint64_t size, struct err *e)
{
	enum call c = begin(MEMORY_TAKE);

	if (may_work(c))
		disk_cut(of(f->st), file_node(f), size);
	return end(c) < 0 ? file_error(f, "cut", e) : 0;
}

static int memory_file_sync(struct storage_file *f, struct err *e)
{
	bool late = machine.lie == MEMORY_LATE_SYNC;

	if (late) {
		machine.late = on(f->st);
		machine.late_node = file_node(f);
	}
	return sync_node(f->st, file_node(f), late, f->path, e);
}

static int memory_file_lock(struct storage_file *base, bool *gone, struct err *e)
{
	struct memory_file *f = (struct memory_file *)base;

	*gone = false;
	if (end(begin(MEMORY_LOOK)) < 0)
		return file_error(base, "lock", e);
	/* One thread: whoever has it now would never let it go. */
	must(f->locked || !is_held(on(base->st), f->node));
	if (!f->locked)
		hold(on(base->st), f->node);
	f->locked = true;
	*gone = !disk_has_name(of(base->st), f->node);
	return 0;
}

/* ---- leases ---------------------------------------------------------------------------------------------------- */

struct memory_lease {
	struct storage_lease base;
	int node;
};

static int memory_lease_take(struct storage *st, const char *path,
			     struct storage_lease **out, struct err *e)
{
	const char *leaf;
	int node, dir = disk_find_parent(of(st), path, &leaf);
	struct memory_lease *l;

	if (dir < 0 && refuse(ENOENT) < 0)
		return err_sys(e, "take %s/%s", st->name, path);
	if (open_node(st, path, STORAGE_APPEND, &node, e) < 0)
		return -1;
	if (is_held(on(st), node))
		return 0;
	hold(on(st), node);
	l = xalloc(sizeof *l);
	l->base.st = st;
	l->base.time_ms = disk_time(of(st), node);
	l->node = node;
	machine.open++;
	*out = &l->base;
	return 0;
}

static void memory_lease_drop(struct storage_lease *base)
{
	struct memory_lease *l = (struct memory_lease *)base;

	let_go(on(base->st), l->node);
	machine.open--;
	xfree(&l);
}

static int memory_lease_set_time(struct storage_lease *base, uint64_t unix_ms,
				 struct err *e)
{
	enum call c = begin(MEMORY_TAKE);

	if (may_work(c))
		disk_set_time(of(base->st), ((struct memory_lease *)base)->node, unix_ms);
	return end(c) < 0 ? err_sys(e, "set the time of a lease in %s", base->st->name)
			  : 0;
}

const struct storage_engine storage_memory = {
	.scheme = "memory",
	.make = memory_make,
	.open = memory_open,
	.close = memory_close,
	.space = memory_space,
	.sync = memory_sync,
	.read = memory_read,
	.put = memory_put,
	.remove = memory_remove,
	.rename = memory_rename,
	.exists = memory_exists,
	.make_dir = memory_make_dir,
	.remove_dir = memory_remove_dir,
	.list = memory_list,
	.names_next = memory_names_next,
	.names_end = memory_names_end,
	.draft_begin = memory_draft_begin,
	.draft_write = memory_draft_write,
	.draft_read = memory_draft_read,
	.draft_commit = memory_draft_commit,
	.draft_end = memory_draft_end,
	.file_open = memory_file_open,
	.file_close = memory_file_close,
	.file_fd = memory_file_fd,
	.file_size = memory_file_size,
	.file_read = memory_file_read,
	.file_write = memory_file_write,
	.file_cut = memory_file_cut,
	.file_sync = memory_file_sync,
	.file_lock = memory_file_lock,
	.lease_take = memory_lease_take,
	.lease_drop = memory_lease_drop,
	.lease_set_time = memory_lease_set_time,
};

/* ---- states of the machine --------------------------------------------------------------------------------------- */

struct memory_state {
	struct memory_disk disks[DISKS_MAX];
	unsigned boot;
};

struct memory_state *memory_save(void)
{
	struct memory_state *s = xalloc(sizeof *s);

	s->boot = machine.boot;
	for (size_t i = 0; i < DISKS_MAX; i++) {
		s->disks[i] = machine.disks[i];
		if (machine.disks[i].disk != NULL)
			s->disks[i].disk = disk_copy(machine.disks[i].disk);
	}
	return s;
}

void memory_state_free(struct memory_state **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < DISKS_MAX; i++)
		disk_free(&(*s)->disks[i].disk);
	xfree(s);
}

void memory_restart(void)
{
	must(machine.open == 0 && machine.n_held == 0);
	memory_set_fault(NULL);
	machine.stopped = machine.full = machine.ripe = false;
	machine.late = NULL;
}

void memory_load(const struct memory_state *s)
{
	memory_restart();
	machine.boot = s->boot;
	machine.hidden = 0;
	for (size_t i = 0; i < DISKS_MAX; i++) {
		disk_free(&machine.disks[i].disk);
		machine.disks[i] = s->disks[i];
		if (s->disks[i].disk != NULL)
			machine.disks[i].disk = disk_copy(s->disks[i].disk);
	}
}

void memory_power_cut(disk_pick_fn *pick, void *ctx)
{
	memory_restart();
	machine.boot++;
	for (size_t i = 0; i < DISKS_MAX; i++) {
		struct disk *old = machine.disks[i].disk;

		if (old == NULL)
			continue;
		machine.disks[i].disk = disk_after_cut(old, pick, ctx);
		disk_free(&old);
	}
}

void memory_fini(void)
{
	for (size_t i = 0; i < DISKS_MAX; i++)
		disk_free(&machine.disks[i].disk);
}
