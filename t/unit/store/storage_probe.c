/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/storage_posix.h"
#include "store/storage_probe.h"

#include "t/unit/store/scratch.h"

#include <dirent.h>

static size_t files_in(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	size_t n = 0;

	assert_non_null(d);
	while ((de = readdir(d)) != NULL)
		n += strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0;
	closedir(d);
	return n;
}

/* probe - of the store directory of `s`; the error or the doubt, "" for neither */
static struct err probe(const struct scratch *s, const char *scheme, bool trusted, int rc)
{
	struct storage *st;
	struct err doubt, e = {0};
	char place[128];
	int got;

	snprintf(place, sizeof place, "%s:%s", scheme, scratch_path(s, "store").s);
	scratch_ok(storage_open(place, &st, &e_));
	got = storage_probe(st, trusted, &doubt, &e);
	print_message("# %d: %s\n", got, got < 0 ? e.text : doubt.text);
	assert_int_equal(got, rc);
	storage_close(&st);
	assert_int_equal(files_in(scratch_path(s, "store").s), 0);
	return got < 0 ? e : doubt;
}

static void begin(struct scratch *s)
{
	scratch_settings(s, "", "");
	assert_int_equal(mkdir(scratch_path(s, "store").s, 0700), 0);
}

static void this_disk_does(void **state)
{
	struct scratch s;

	(void)state;
	begin(&s);
	/* Whatever /tmp is here: it must not be refused for what it does. */
	probe(&s, "posix", true, 0);
	scratch_end(&s);
}

static void memory_is_refused_unless_trusted(void **state)
{
	struct scratch s;
	struct err why;

	(void)state;
	begin(&s);
	if (!scratch_small_disk(&s, "store", "1m"))
		skip();
	why = probe(&s, "posix", false, -1);
	assert_int_equal(why.class, ERR_PERM);
	assert_int_equal(err_exit_status(&why), 78);
	assert_non_null(strstr(why.text, "is on tmpfs, which keeps all in memory"));
	assert_non_null(strstr(why.text, "store.trust_file_system"));
	why = probe(&s, "posix", true, 0);
	assert_non_null(strstr(why.text, "tmpfs"));
	assert_int_equal(umount(scratch_path(&s, "store").s), 0);
	scratch_end(&s);
}

static void a_full_disk_is_no_reason(void **state)
{
	struct scratch s;
	struct err why;
	int fd;
	char block[4096] = "";

	(void)state;
	begin(&s);
	if (!scratch_small_disk(&s, "store", "64k"))
		skip();
	/* A file of no name, so that the place is left as empty as it was. */
	fd = open(scratch_path(&s, "store").s, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, block, sizeof block) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	why = probe(&s, "posix", true, 0);
	assert_int_equal(why.class, ERR_TEMP);
	close(fd);
	assert_int_equal(umount(scratch_path(&s, "store").s), 0);
	scratch_end(&s);
}

/* ---- engines that break one promise each ------------------------------------------------ */

static int put_over(struct storage *st, const char *path, struct str bytes, int flags,
		    bool *existed, struct err *e)
{
	return storage_posix.put(st, path, bytes, flags & ~STORAGE_EXCLUSIVE, existed, e);
}

static int put_folding(struct storage *st, const char *path, struct str bytes, int flags,
		       bool *existed, struct err *e)
{
	char folded[PATH_MAX];
	size_t n = 0;

	for (; path[n] != '\0'; n++)
		folded[n] = ascii_lower(path[n]);
	folded[n] = '\0';
	return storage_posix.put(st, folded, bytes, flags, existed, e);
}

static int cut_nothing(struct storage_file *f, uint64_t size, struct err *e)
{
	(void)f, (void)size, (void)e;
	return 0;
}

static int write_whole_page(struct storage_file *f, uint64_t offset, struct str bytes,
			    struct err *e)
{
	char page[16] = "";

	if (bytes.n != 1)
		return storage_posix.file_write(f, offset, bytes, e);
	page[offset % sizeof page] = bytes.p[0];
	return storage_posix.file_write(f, offset - offset % sizeof page,
					(struct str){page, sizeof page}, e);
}

static int lock_any(struct storage_file *f, bool *gone, struct err *e)
{
	(void)f, (void)e;
	*gone = false;
	return 0;
}

static int rename_over(struct storage *st, const char *from, const char *to,
		       bool *existed, struct err *e)
{
	if (storage_posix.remove(st, to, 0, e) < 0)
		return -1;
	return storage_posix.rename(st, from, to, existed, e);
}

static int lease_anew(struct storage *st, const char *path, struct storage_lease **out,
		      struct err *e)
{
	if (storage_posix.remove(st, path, 0, e) < 0)
		return -1;
	return storage_posix.lease_take(st, path, out, e);
}

/* As where locks belong to a process. */
static int lease_of_process(struct storage *st, const char *path,
			    struct storage_lease **out, struct err *e)
{
	static pid_t owner;

	if (owner == 0)
		owner = getpid();
	if (getpid() != owner)
		return lease_anew(st, path, out, e);
	return storage_posix.lease_take(st, path, out, e);
}

static int forget_time(struct storage_lease *l, uint64_t unix_ms, struct err *e)
{
	(void)l, (void)unix_ms, (void)e;
	return 0;
}

static int no_file(const struct storage_file *f)
{
	(void)f;
	return STDIN_FILENO; /* nothing that could be sent */
}

static int remove_full_dir(struct storage *st, const char *path, struct err *e)
{
	char inner[PATH_MAX];

	snprintf(inner, sizeof inner, "%s/file", path);
	if (storage_posix.remove(st, inner, 0, e) < 0)
		return -1;
	return storage_posix.remove_dir(st, path, e);
}

static int put_unknown(struct storage *st, const char *path, struct str bytes, int flags,
		       bool *existed, struct err *e)
{
	(void)st, (void)bytes, (void)flags, (void)existed;
	errno = EPERM; /* what link(2) says where there are no links */
	return err_sys(e, "link %s", path);
}

#define BREAKS(name, operation, with)                 \
	{                                             \
		.scheme = (name), .operation = (with) \
	}

static const struct {
	struct storage_engine plant; /* scheme, and the operation that differs */
	const char *says;
} plants[] = {
	/* clang-format off */
	{BREAKS("over",    put, put_over),                "once and for all"},
	{BREAKS("nolink",  put, put_unknown),             "once and for all"},
	{BREAKS("folds",   put, put_folding),             "are folded"},
	{BREAKS("nocut",   file_cut, cut_nothing),        "not what is read"},
	{BREAKS("page",    file_write, write_whole_page), "not what is read"},
	{BREAKS("nolock",  file_lock, lock_any),          "still open"},
	{BREAKS("moves",   rename, rename_over),          "RENAME_NOREPLACE"},
	{BREAKS("leases",  lease_take, lease_anew),       "keep others out"},
	{BREAKS("process", lease_take, lease_of_process), "keep other processes out"},
	{BREAKS("timeless", lease_set_time, forget_time), "the time"},
	{BREAKS("unsent",  file_fd, no_file),             "sendfile"},
	{BREAKS("empties", remove_dir, remove_full_dir),  "keep what is in it"},
	/* clang-format on */
};

static void graft(struct storage_engine *to, const struct storage_engine *plant)
{
	*to = storage_posix;
	to->scheme = plant->scheme;
#define TAKE(operation)               \
	if (plant->operation != NULL) \
		to->operation = plant->operation;
	TAKE(put)
	TAKE(rename)
	TAKE(remove_dir)
	TAKE(file_cut)
	TAKE(file_write)
	TAKE(file_lock)
	TAKE(file_fd)
	TAKE(lease_take)
	TAKE(lease_set_time)
#undef TAKE
}

static void what_breaks_a_promise_is_refused(void **state)
{
	static struct storage_engine engine = {.scheme = "planted"};

	(void)state;
	storage_add_engine(&engine);
	for (size_t i = 0; i < countof(plants); i++) {
		struct scratch s;
		struct err why;

		begin(&s);
		graft(&engine, &plants[i].plant);
		engine.scheme = "planted";
		print_message("# %s\n", plants[i].plant.scheme);
		why = probe(&s, "planted", true, -1);
		assert_int_equal(why.class, ERR_PERM);
		assert_non_null(strstr(why.text, plants[i].says));
		assert_non_null(strstr(why.text, "; put it on ext4, XFS or Btrfs"));
		scratch_end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_disk_does),
		cmocka_unit_test(what_breaks_a_promise_is_refused),
		cmocka_unit_test(memory_is_refused_unless_trusted),
		cmocka_unit_test(a_full_disk_is_no_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
