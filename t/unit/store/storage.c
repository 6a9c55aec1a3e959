/* SPDX-License-Identifier: ISC */
#include "store/storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "t/unit/store/scratch.h"

/* Removed by somebody else just before the next lock, when set: the test's own flock()
 * stands before the C library's. */
static const char *remove_before_lock;

int flock(int fd, int operation)
{
	if (remove_before_lock != NULL)
		unlink(remove_before_lock);
	remove_before_lock = NULL;
	return (int)syscall(SYS_flock, fd, operation);
}

/* Made by somebody else just before the next directory is removed, when set. */
static const char *make_before_rmdir;

int unlinkat(int dir, const char *path, int flags)
{
	if (make_before_rmdir != NULL && flags == AT_REMOVEDIR) {
		int fd = open(make_before_rmdir, O_CREAT | O_WRONLY, 0600);

		assert_true(fd >= 0);
		close(fd);
		make_before_rmdir = NULL;
	}
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

/* A sweep that takes everything for old comes while this storage replaces an object. */
static struct storage *sweep_before_rename;

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct storage *st = sweep_before_rename;
	uint64_t swept = 0;

	sweep_before_rename = NULL;
	if (st != NULL)
		scratch_ok(storage_sweep(st, UINT64_MAX, &swept, &e_));
	assert_int_equal(swept, 0);
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

/* For syncs: fail with this errno, when set. */
static int fail_sync;

int syncfs(int fd)
{
	errno = fail_sync;
	return fail_sync ? -1 : (int)syscall(SYS_syncfs, fd);
}

/* A bare storage: a scratch directory, no store. */
struct bare {
	struct scratch s;
	struct storage *st;
};

static int start(void **state)
{
	struct bare *b = xalloc(sizeof *b);

	*state = b;
	scratch_settings(&b->s, "", "");
	scratch_ok(storage_open_posix(b->s.dir, &b->st, &e_));
	return 0;
}

static int stop(void **state)
{
	struct bare *b = *state;

	storage_close(&b->st);
	scratch_end(&b->s);
	xfree(state);
	return 0;
}

static void put(struct bare *b, const char *path, const char *text, int flags)
{
	bool existed = true;

	scratch_ok(storage_put(b->st, path, str_of(text), flags, &existed, &e_));
	assert_false(existed);
}

/* is - the object holds this, or is not there where `text` is NULL */
static void is(struct bare *b, const char *path, const char *text)
{
	struct buf out;
	bool found, there;

	buf_init(&out, 1024);
	scratch_ok(storage_read(b->st, path, &out, &found, &e_));
	scratch_ok(storage_exists(b->st, path, &there, &e_));
	assert_int_equal(found, text != NULL);
	assert_int_equal(there, found);
	if (found)
		assert_string_equal(buf_cstr(&out), text);
	buf_fini(&out);
}

/* ---- whole objects ----------------------------------------------------------------- */

/* below_a_file_nobody_knows - where a directory became something else, what was in it is lost,
 * and that is another thing than not there */
static void below_a_file_nobody_knows(struct bare *b, const char *path)
{
	struct storage_file *f;
	struct buf out;
	struct err e;
	bool found;

	buf_init(&out, 10);
	assert_int_equal(storage_read(b->st, path, &out, &found, &e), -1);
	buf_fini(&out);
	assert_int_equal(storage_exists(b->st, path, &found, &e), -1);
	assert_int_equal(storage_file_open(b->st, path, STORAGE_READ, &f, &found, &e),
			 -1);
	assert_int_equal(e.sys, ENOTDIR);
}

static void puts_replaces_and_removes(void **state)
{
	struct bare *b = *state;

	is(b, "a/b/c", NULL);
	put(b, "a/b/c", "one", STORAGE_DURABLE);
	is(b, "a/b/c", "one");
	put(b, "a/b/c", "two", 0);
	is(b, "a/b/c", "two");
	put(b, "top", "", STORAGE_DURABLE);
	is(b, "top", "");
	below_a_file_nobody_knows(b, "a/b/c/d");
	for (int twice = 0; twice < 2; twice++) {
		scratch_ok(storage_remove(b->st, "a/b/c", STORAGE_DURABLE, &e_));
		is(b, "a/b/c", NULL);
	}
	scratch_ok(storage_remove(b->st, "x/y/z", STORAGE_DURABLE, &e_));
}

static void an_exclusive_one_leaves_what_is_there(void **state)
{
	struct bare *b = *state;
	bool existed;

	put(b, "a/b", "one", STORAGE_EXCLUSIVE | STORAGE_DURABLE);
	scratch_ok(
		storage_put(b->st, "a/b", STR("two"), STORAGE_EXCLUSIVE, &existed, &e_));
	assert_true(existed);
	is(b, "a/b", "one");
}

static void reads_no_more_than_there_is_room_for(void **state)
{
	struct bare *b = *state;
	char text[9001];
	struct buf out;
	struct err e;
	bool found;

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	put(b, "long", text, 0);
	buf_init(&out, 9000);
	scratch_ok(storage_read(b->st, "long", &out, &found, &e_));
	assert_string_equal(buf_cstr(&out), text);
	buf_fini(&out);
	buf_init(&out, 8999);
	assert_int_equal(storage_read(b->st, "long", &out, &found, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	buf_fini(&out);
}

static void follows_no_link(void **state)
{
	struct bare *b = *state;
	struct storage_file *f;
	struct buf out;
	struct err e;
	bool found;

	put(b, "real", "text", 0);
	assert_int_equal(symlink("real", scratch_path(&b->s, "link").s), 0);
	buf_init(&out, 100);
	assert_int_equal(storage_read(b->st, "link", &out, &found, &e), -1);
	assert_int_equal(storage_file_open(b->st, "link", STORAGE_APPEND, &f, &found, &e),
			 -1);
	buf_fini(&out);
	put(b, "link", "own", 0); /* replaces the link, not what it points to */
	is(b, "link", "own");
	is(b, "real", "text");
}

/* What an earlier process with our number left when it died is stepped over. */
static void leftovers_are_neither_seen_nor_in_the_way(void **state)
{
	struct bare *b = *state;
	struct storage_names *names;
	const char *name;
	size_t n = 0;

	put(b, "d/object", "one", 0);
	for (int i = 0; i < 50; i++) {
		char left[64];

		snprintf(left, sizeof left, "d/.new.%ld.%d", (long)getpid(), i);
		scratch_write(&b->s, left, STR("half of it"));
	}
	put(b, "d/object", "two", 0);
	is(b, "d/object", "two");
	scratch_ok(storage_list(b->st, "d", &names, &e_));
	while ((name = storage_names_next(names)) != NULL) {
		assert_string_equal(name, "object");
		n++;
	}
	scratch_ok(storage_names_end(&names, &e_));
	assert_int_equal(n, 1);
	scratch_ok(storage_remove_tree(b->st, "d", &e_));
	assert_false(scratch_exists(&b->s, "d"));
}

/* ---- directories --------------------------------------------------------------------- */

static void a_missing_directory_is_empty(void **state)
{
	struct bare *b = *state;
	struct storage_names *names;
	struct err e;

	scratch_ok(storage_list(b->st, "nothing", &names, &e_));
	assert_null(storage_names_next(names));
	scratch_ok(storage_names_end(&names, &e_));
	assert_null(names);
	put(b, "file", "", 0);
	assert_int_equal(storage_list(b->st, "file", &names, &e), -1);
}

static void makes_and_removes_directories(void **state)
{
	struct bare *b = *state;

	scratch_ok(storage_make_dir(b->st, "a/b/c", &e_));
	scratch_ok(storage_make_dir(b->st, "a/b/c", &e_));
	assert_true(scratch_exists(&b->s, "a/b/c"));
	put(b, "a/b/object", "", 0);
	scratch_ok(storage_remove_dir(b->st, "a/b", &e_)); /* not empty: left alone */
	assert_true(scratch_exists(&b->s, "a/b/object"));
	scratch_ok(storage_remove_dir(b->st, "a/b/c", &e_));
	scratch_ok(storage_remove_dir(b->st, "a/b/c", &e_));
	assert_false(scratch_exists(&b->s, "a/b/c"));
	scratch_ok(storage_remove_tree(b->st, "a", &e_));
	scratch_ok(storage_remove_tree(b->st, "a", &e_));
	assert_false(scratch_exists(&b->s, "a"));
}

static void removes_what_comes_into_a_tree_that_goes(void **state)
{
	struct bare *b = *state;
	struct scratch_path late = scratch_path(&b->s, "a/late");

	put(b, "a/object", "", 0);
	make_before_rmdir = late.s;
	scratch_ok(storage_remove_tree(b->st, "a", &e_));
	assert_null(make_before_rmdir);
	assert_false(scratch_exists(&b->s, "a"));
}

static void renaming_replaces_nothing(void **state)
{
	struct bare *b = *state;
	struct err e;
	bool existed;

	put(b, "a/from", "one", 0);
	put(b, "taken", "two", 0);
	scratch_ok(storage_rename(b->st, "a/from", "taken", &existed, &e_));
	assert_true(existed);
	is(b, "taken", "two");
	scratch_ok(storage_rename(b->st, "a/from", "b/c/to", &existed, &e_));
	assert_false(existed);
	is(b, "a/from", NULL);
	is(b, "b/c/to", "one");
	scratch_ok(storage_rename(b->st, "b", "moved", &existed, &e_));
	is(b, "moved/c/to", "one");
	assert_int_equal(storage_rename(b->st, "nothing", "x", &existed, &e), -1);
}

/* ---- drafts ----------------------------------------------------------------------------- */

static void a_draft_is_seen_when_it_is_whole(void **state)
{
	struct bare *b = *state;
	struct storage_draft *d;
	char text[8];
	size_t got;

	scratch_ok(storage_draft_begin(b->st, "m/1/x", &d, &e_));
	scratch_ok(storage_draft_write(d, STR("head"), &e_));
	scratch_ok(storage_draft_write(d, STR("body"), &e_));
	is(b, "m/1/x", NULL);
	scratch_ok(storage_draft_rewrite(d, 0, STR("HEAD"), &e_));
	scratch_ok(storage_draft_read(d, 2, text, 4, &got, &e_));
	assert_memory_equal(text, "ADbo", 4);
	scratch_ok(storage_draft_read(d, 6, text, 8, &got, &e_));
	assert_int_equal(got, 2);
	scratch_ok(storage_draft_commit(d, &e_));
	storage_draft_end(&d);
	assert_null(d);
	is(b, "m/1/x", "HEADbody");
}

static void a_draft_that_ends_before_leaves_nothing(void **state)
{
	struct bare *b = *state;
	struct storage_draft *d;

	scratch_ok(storage_draft_begin(b->st, "m/1/x", &d, &e_));
	scratch_ok(storage_draft_write(d, STR("head"), &e_));
	storage_draft_end(&d);
	/* a directory that is not empty would be left alone */
	scratch_ok(storage_remove_dir(b->st, "m/1", &e_));
	assert_false(scratch_exists(&b->s, "m/1"));
	storage_draft_end(&d);
}

static void a_draft_takes_nobodys_name(void **state)
{
	struct bare *b = *state;
	struct storage_draft *d;
	struct err e;

	put(b, "m/x", "first", 0);
	scratch_ok(storage_draft_begin(b->st, "m/x", &d, &e_));
	scratch_ok(storage_draft_write(d, STR("second"), &e_));
	assert_int_equal(storage_draft_commit(d, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	storage_draft_end(&d);
	is(b, "m/x", "first");
}

static void a_drafts_directory_may_go_meanwhile(void **state)
{
	struct bare *b = *state;
	struct storage_draft *d;

	scratch_ok(storage_draft_begin(b->st, "m/1/x", &d, &e_));
	scratch_ok(storage_draft_write(d, STR("text"), &e_));
	scratch_ok(storage_remove_dir(b->st, "m/1", &e_));
	scratch_ok(storage_remove_dir(b->st, "m", &e_));
	assert_false(scratch_exists(&b->s, "m"));
	scratch_ok(storage_draft_commit(d, &e_));
	storage_draft_end(&d);
	is(b, "m/1/x", "text");
}

/* ---- open objects --------------------------------------------------------------------------- */

static void appends_where_the_caller_thinks_the_end_is(void **state)
{
	struct bare *b = *state;
	struct storage_file *f;
	struct err e;
	uint64_t size;
	bool found;
	char text[16];
	size_t got;

	scratch_ok(storage_file_open(b->st, "log", STORAGE_READ, &f, &found, &e_));
	assert_false(found);
	assert_null(f);
	scratch_ok(storage_file_open(b->st, "log", STORAGE_WRITE, &f, &found, &e_));
	assert_false(found);
	scratch_ok(storage_file_open(b->st, "log", STORAGE_APPEND, &f, &found, &e_));
	assert_true(found);
	scratch_ok(storage_file_append(f, 0, STR("one\n"), &e_));
	scratch_ok(storage_file_append(f, 4, STR("two\n"), &e_));
	assert_int_equal(storage_file_append(f, 4, STR("bad\n"), &e), -1);
	assert_int_equal(storage_file_append(f, 9, STR("bad\n"), &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	scratch_ok(storage_file_put_octet(f, 4, 'T', &e_));
	scratch_ok(storage_file_sync(f, &e_));
	scratch_ok(storage_file_size(f, &size, &e_));
	assert_int_equal(size, 8);
	scratch_ok(storage_file_read(f, 2, text, 16, &got, &e_));
	assert_int_equal(got, 6);
	assert_memory_equal(text, "e\nTwo\n", 6);
	scratch_ok(storage_file_cut(f, 4, &e_));
	storage_file_close(&f);
	assert_null(f);
	is(b, "log", "one\n");
	/* A missing directory is not made: no directory, no account. */
	scratch_ok(storage_file_open(b->st, "x/log", STORAGE_APPEND, &f, &found, &e_));
	assert_false(found);
}

static void who_waited_for_a_lock_learns_that_the_object_is_gone(void **state)
{
	struct bare *b = *state;
	struct storage_file *old, *removed;
	bool found, gone;

	put(b, "a", "one", 0);
	put(b, "b", "one", 0);
	scratch_ok(storage_file_open(b->st, "a", STORAGE_WRITE, &old, &found, &e_));
	scratch_ok(storage_file_open(b->st, "b", STORAGE_WRITE, &removed, &found, &e_));
	scratch_ok(storage_file_lock(old, &gone, &e_));
	assert_false(gone);
	storage_file_close(&old);
	scratch_ok(storage_file_open(b->st, "a", STORAGE_WRITE, &old, &found, &e_));
	put(b, "a", "two", 0);
	scratch_ok(storage_remove(b->st, "b", 0, &e_));
	scratch_ok(storage_file_lock(old, &gone, &e_));
	assert_true(gone);
	scratch_ok(storage_file_lock(removed, &gone, &e_));
	assert_true(gone);
	storage_file_close(&old);
	storage_file_close(&removed);
}

/* can_lock - somebody else, right now, and lets go again */
static bool can_lock(struct bare *b, const char *path)
{
	int fd = open(scratch_path(&b->s, path).s, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);

	bool can = flock(fd, LOCK_EX | LOCK_NB) == 0;

	close(fd);
	return can;
}

static void a_lock_is_held_until_the_file_is_closed(void **state)
{
	struct bare *b = *state;
	struct storage_file *f;
	bool found, gone;

	put(b, "log", "", 0);
	scratch_ok(storage_file_open(b->st, "log", STORAGE_WRITE, &f, &found, &e_));
	assert_true(can_lock(b, "log"));
	scratch_ok(storage_file_lock(f, &gone, &e_));
	assert_false(gone);
	assert_false(can_lock(b, "log"));
	storage_file_close(&f);
	assert_true(can_lock(b, "log"));
}

/* ---- leases ------------------------------------------------------------------------------------- */

static void a_lease_has_one_holder(void **state)
{
	struct bare *b = *state;
	struct storage_lease *mine, *other;
	struct err e;

	put(b, "x/y", "", 0);
	scratch_ok(storage_lease_take(b->st, "x/session", &mine, &e_));
	assert_non_null(mine);
	assert_int_equal(storage_lease_time_ms(mine), 0);
	scratch_ok(storage_lease_take(b->st, "x/session", &other, &e_));
	assert_null(other);
	scratch_ok(storage_lease_set_time(mine, UINT64_C(1795292023123), &e_));
	storage_lease_drop(&mine);
	assert_null(mine);
	scratch_ok(storage_lease_take(b->st, "x/session", &other, &e_));
	assert_non_null(other);
	assert_int_equal(storage_lease_time_ms(other), UINT64_C(1795292023123));
	storage_lease_drop(&other);
	storage_lease_drop(&other);
	assert_int_equal(storage_lease_take(b->st, "nowhere/session", &other, &e), -1);
	assert_int_equal(e.sys, ENOENT);
}

static void a_lease_dies_with_its_process(void **state)
{
	struct bare *b = *state;
	struct storage_lease *lease;
	int to_parent[2], to_child[2], status;
	char c = 'x';
	pid_t pid;

	assert_int_equal(pipe(to_parent), 0);
	assert_int_equal(pipe(to_child), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(to_child[1]);
		scratch_ok(storage_lease_take(b->st, "session", &lease, &e_));
		must(lease != NULL && write(to_parent[1], &c, 1) == 1);
		(void)!read(to_child[0], &c, 1); /* for ever */
		_exit(0);
	}
	close(to_child[0]);
	assert_int_equal(read(to_parent[0], &c, 1), 1);
	scratch_ok(storage_lease_take(b->st, "session", &lease, &e_));
	assert_null(lease);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	scratch_ok(storage_lease_take(b->st, "session", &lease, &e_));
	assert_non_null(lease);
	storage_lease_drop(&lease);
	close(to_parent[0]);
	close(to_parent[1]);
	close(to_child[1]);
}

static void a_lease_is_not_held_on_what_was_removed(void **state)
{
	struct bare *b = *state;
	struct scratch_path path = scratch_path(&b->s, "session");
	struct storage_lease *old, *new, *third;

	scratch_ok(storage_lease_take(b->st, "session", &old, &e_));
	scratch_ok(storage_remove(b->st, "session", 0, &e_));
	scratch_ok(storage_lease_take(b->st, "session", &new, &e_));
	assert_non_null(new);
	storage_lease_drop(&new);
	storage_lease_drop(&old);
	/* between opening and locking it */
	remove_before_lock = path.s;
	scratch_ok(storage_lease_take(b->st, "session", &new, &e_));
	assert_non_null(new);
	assert_true(scratch_exists(&b->s, "session"));
	scratch_ok(storage_lease_take(b->st, "session", &third, &e_));
	assert_null(third);
	storage_lease_drop(&new);
}

/* ---- a full disk ------------------------------------------------------------------------------------ */

static void a_full_disk_is_said_and_nothing_is_half_written(void **state)
{
	struct bare *b = *state;
	struct storage *small;
	struct storage_file *f;
	struct storage_draft *d;
	struct scratch_path dir = scratch_path(&b->s, "small");
	char *much = xalloc(1 << 20);
	struct str bytes = {much, 1 << 20};
	struct err e = {0};
	struct storage_space room;
	uint64_t size;
	bool found;

	assert_int_equal(mkdir(dir.s, 0700), 0);
	if (!scratch_small_disk(&b->s, "small", "64k")) {
		xfree(&much);
		skip();
	}
	scratch_ok(storage_open_posix(dir.s, &small, &e_));
	scratch_ok(storage_space(small, &room, &e_));
	assert_true(room.octets > 0 && room.octets <= 65536);
	assert_true(room.objects > 0);
	assert_false(room.read_only);

	scratch_ok(storage_put(small, "object", STR("one"), 0, NULL, &e_));
	assert_int_equal(storage_put(small, "object", bytes, 0, NULL, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.dsn, "4.3.1");
	assert_int_equal(e.sys, ENOSPC);
	assert_int_equal(storage_put(small, "new", bytes, STORAGE_EXCLUSIVE, NULL, &e),
			 -1);
	scratch_ok(storage_exists(small, "new", &found, &e_));
	assert_false(found);

	scratch_ok(storage_file_open(small, "log", STORAGE_APPEND, &f, &found, &e_));
	scratch_ok(storage_file_append(f, 0, STR("one\n"), &e_));
	assert_int_equal(storage_file_append(f, 4, bytes, &e), -1);
	assert_int_equal(e.sys, ENOSPC);
	scratch_ok(storage_file_size(f, &size, &e_));
	assert_int_equal(size, 4);
	scratch_ok(storage_file_append(f, 4, STR("two\n"), &e_));
	storage_file_close(&f);

	scratch_ok(storage_draft_begin(small, "m/x", &d, &e_));
	assert_int_equal(storage_draft_write(d, bytes, &e), -1);
	assert_string_equal(e.dsn, "4.3.1");
	storage_draft_end(&d);
	scratch_ok(storage_put(small, "object", STR("two"), 0, NULL, &e_));
	storage_close(&small);
	assert_int_equal(umount(dir.s), 0);
	xfree(&much);
}

/* ---- a sync that failed ----------------------------------------------------------------------------- */

static void refused(int rc, const struct err *e)
{
	assert_int_equal(rc, -1);
	assert_int_equal(e->class, ERR_TEMP);
	assert_non_null(strstr(e->text, "takes no writes since a sync failed"));
}

/* P3: nothing new and no promise; reading and taking away go on. */
static void after_a_failed_sync_it_takes_nothing_new(void **state)
{
	struct bare *b = *state;
	struct storage_file *f, *other;
	struct storage_lease *lease;
	struct storage_draft *begun, *d;
	struct err e;
	bool found, gone;

	put(b, "a/log", "one\ntwo\n", 0);
	put(b, "a/object", "one", 0);
	scratch_ok(storage_draft_begin(b->st, "m/x", &begun, &e_));
	scratch_ok(storage_file_open(b->st, "a/log", STORAGE_APPEND, &f, &found, &e_));
	assert_string_equal(storage_failure(b->st), "");
	/* Room that is made now brings nothing back, so this is not what a full disk is. */
	fail_sync = ENOSPC;
	assert_int_equal(storage_sync(b->st, &e), -1);
	assert_int_equal(e.sys, ENOSPC);
	assert_string_equal(e.dsn, "4.3.0");
	fail_sync = 0;
	assert_true(storage_failed(b->st));
	assert_string_equal(storage_failure(b->st), e.text);

	refused(storage_sync(b->st, &e), &e);
	refused(storage_put(b->st, "a/object", STR("two"), 0, NULL, &e), &e);
	refused(storage_make_dir(b->st, "b", &e), &e);
	refused(storage_rename(b->st, "a/object", "a/moved", &found, &e), &e);
	refused(storage_remove(b->st, "a/object", STORAGE_DURABLE, &e), &e);
	refused(storage_draft_begin(b->st, "m/y", &d, &e), &e);
	refused(storage_draft_commit(begun, &e), &e);
	refused(storage_file_open(b->st, "a/log", STORAGE_APPEND, &other, &found, &e),
		&e);
	refused(storage_file_append(f, 8, STR("three\n"), &e), &e);
	refused(storage_file_sync(f, &e), &e);
	is(b, "a/object", "one");
	is(b, "m/x", NULL);
	storage_draft_end(&begun);
	storage_file_close(&f);

	scratch_ok(storage_file_open(b->st, "a/log", STORAGE_WRITE, &f, &found, &e_));
	scratch_ok(storage_file_lock(f, &gone, &e_));
	scratch_ok(storage_file_put_octet(f, 0, 'O', &e_));
	scratch_ok(storage_file_cut(f, 4, &e_));
	storage_file_close(&f);
	is(b, "a/log", "One\n");
	scratch_ok(storage_lease_take(b->st, "a/session", &lease, &e_));
	assert_non_null(lease);
	storage_lease_drop(&lease);
	scratch_ok(storage_remove(b->st, "a/object", 0, &e_));
	scratch_ok(storage_remove_tree(b->st, "a", &e_));
	assert_false(scratch_exists(&b->s, "a"));
}

/* ---- what the dead leave ---------------------------------------------------------------- */

/* leave - a file as a process leaves it that was killed while it wrote, so long ago */
static void leave(struct bare *b, const char *path, time_t age_s)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - age_s}};

	scratch_write(&b->s, path, STR("half of a rec"));
	assert_int_equal(utimensat(AT_FDCWD, scratch_path(&b->s, path).s, t, 0), 0);
}

static void sweeps_what_the_dead_were_writing(void **state)
{
	enum { HOUR = 3600 };
	static const char *const kept[] = {
		"accounts/ab/cd/x/profile", "accounts/ab/.new.1.1", ".new.9.9", ".other",
		"writers/.new.2.2",
	};
	struct bare *b = *state;
	uint64_t now = (uint64_t)time(NULL) * 1000, swept;
	struct timespec old[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - HOUR}};
	int living;

	put(b, "accounts/ab/cd/x/profile", "p", STORAGE_EXCLUSIVE);
	put(b, "writers/0", "w", STORAGE_EXCLUSIVE);
	put(b, ".new.probe.1/names/a", "", STORAGE_EXCLUSIVE);
	leave(b, "accounts/ab/cd/x/.new.77.0", HOUR);
	leave(b, "writers/.new.77.1", HOUR);
	leave(b, "accounts/ab/.new.1.1", 10); /* of somebody who may be at it */
	leave(b, ".new.9.9", 10);
	leave(b, ".other", HOUR);
	leave(b, "writers/.new.2.2", HOUR); /* old, but its maker has it locked */
	living = open(scratch_path(&b->s, "writers/.new.2.2").s, O_RDWR | O_CLOEXEC);
	assert_true(living >= 0 && flock(living, LOCK_EX) == 0);
	assert_int_equal(
		utimensat(AT_FDCWD, scratch_path(&b->s, ".new.probe.1").s, old, 0), 0);

	scratch_ok(storage_sweep(b->st, now - 60 * 1000, &swept, &e_));
	assert_int_equal(swept, 3);
	assert_false(scratch_exists(&b->s, "accounts/ab/cd/x/.new.77.0"));
	assert_false(scratch_exists(&b->s, "writers/.new.77.1"));
	assert_false(scratch_exists(&b->s, ".new.probe.1"));
	for (size_t i = 0; i < countof(kept); i++)
		assert_true(scratch_exists(&b->s, kept[i]));
	close(living);
	scratch_ok(storage_sweep(b->st, now - 60 * 1000, &swept, &e_));
	assert_int_equal(swept, 1);
}

static void what_is_being_written_is_not_swept(void **state)
{
	struct bare *b = *state;
	uint64_t swept;

	put(b, "a/record", "first", STORAGE_EXCLUSIVE);
	sweep_before_rename = b->st;
	scratch_ok(storage_put(b->st, "a/record", STR("second"), 0, NULL, &e_));
	assert_null(sweep_before_rename);
	is(b, "a/record", "second");
	scratch_ok(storage_sweep(b->st, UINT64_MAX, &swept, &e_));
	assert_int_equal(swept, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(puts_replaces_and_removes),
		TEST(an_exclusive_one_leaves_what_is_there),
		TEST(reads_no_more_than_there_is_room_for),
		TEST(follows_no_link),
		TEST(leftovers_are_neither_seen_nor_in_the_way),
		TEST(a_missing_directory_is_empty),
		TEST(makes_and_removes_directories),
		TEST(removes_what_comes_into_a_tree_that_goes),
		TEST(renaming_replaces_nothing),
		TEST(a_draft_is_seen_when_it_is_whole),
		TEST(a_draft_that_ends_before_leaves_nothing),
		TEST(a_draft_takes_nobodys_name),
		TEST(a_drafts_directory_may_go_meanwhile),
		TEST(appends_where_the_caller_thinks_the_end_is),
		TEST(who_waited_for_a_lock_learns_that_the_object_is_gone),
		TEST(a_lock_is_held_until_the_file_is_closed),
		TEST(a_lease_has_one_holder),
		TEST(a_lease_dies_with_its_process),
		TEST(a_lease_is_not_held_on_what_was_removed),
		TEST(a_full_disk_is_said_and_nothing_is_half_written),
		TEST(after_a_failed_sync_it_takes_nothing_new),
		TEST(sweeps_what_the_dead_were_writing),
		TEST(what_is_being_written_is_not_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
