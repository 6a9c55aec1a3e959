/* SPDX-License-Identifier: ISC */
#include "store/storage_posix.h"

#include "lib/conn.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

static int posix_make(const char *directory, struct err *e)
{
	if (mkdir(directory, POSIX_DIR_MODE) < 0 && errno != EEXIST)
		return err_sys(e, "make directory %s", directory);
	return 0;
}

/* look_at_ground - over a network, or in user space, what stat(2) says may be old */
static void look_at_ground(struct posix *st)
{
	static const unsigned long local[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
		F2FS_SUPER_MAGIC, TMPFS_MAGIC,     OVERLAYFS_SUPER_MAGIC,
	};
	struct statfs fs;
	struct stat sb;

	if (fstatfs(st->dir, &fs) < 0 || fstat(st->dir, &sb) < 0)
		return;
	st->device = sb.st_dev;
	for (size_t i = 0; i < countof(local); i++)
		st->stamps |= (unsigned long)fs.f_type == local[i];
}

static int posix_open(const char *directory, struct storage **out, struct err *e)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "open %s", directory);

	struct posix *st = xalloc(sizeof *st);

	st->dir = dir;
	st->opened_ms = clock_unix_ms();
	st->base.name = xstrdup(directory);
	posix_mount(&st->base);
	look_at_ground(st);
	*out = &st->base;
	return 0;
}

static void posix_close(struct storage *st)
{
	close(posix_dir(st));
	xfree(&st->name);
	xfree(&st);
}

static int posix_space(struct storage *st, struct storage_space *out, struct err *e)
{
	struct statvfs v;

	if (fstatvfs(posix_dir(st), &v) < 0)
		return err_sys(e, "statvfs %s", st->name);
	*out = (struct storage_space){
		.octets = (uint64_t)v.f_bavail * v.f_frsize,
		/* Btrfs makes inodes as it goes, and counts none. */
		.objects = v.f_files ? v.f_favail : UINT64_MAX,
		.read_only = (v.f_flag & ST_RDONLY) != 0,
	};
	return 0;
}

static int posix_sync(struct storage *st, struct err *e)
{
	return syncfs(posix_dir(st)) < 0 ? storage_sync_failed(st, ".", e) : 0;
}

/* ---- whole small objects ------------------------------------------------------ */

/* read_to_end - *fits is false when there is more than `out` has room for */
static int read_to_end(int fd, struct buf *out, bool *fits)
{
	for (uint64_t at = 0;;) {
		size_t room = out->max - out->n, n = room < 4096 ? room : 4096, got;
		char beyond, *to = room ? buf_reserve(out, n) : &beyond;

		if (posix_read_some(fd, at, to, room ? n : 1, 0, &got) < 0)
			return -1;
		*fits = room > 0 || got == 0;
		if (room == 0)
			return 0;
		buf_used(out, got);
		at += got;
		if (got < n)
			return 0;
	}
}

static int posix_read(struct storage *st, const char *path, struct buf *out, bool *found,
		      struct err *e)
{
	int fd = openat(posix_dir(st), path, POSIX_READ_FLAGS);
	bool fits;
	int rc;

	*found = fd >= 0;
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "open %s/%s", st->name, path);
	}
	rc = read_to_end(fd, out, &fits);
	if (rc < 0)
		err_sys(e, "read %s/%s", st->name, path);
	else if (!fits)
		rc = err_set(e, ERR_TEMP, "4.3.0", "%s/%s is longer than %zu octets",
			     st->name, path, out->max);
	close(fd);
	return rc;
}

static int posix_fetch(struct storage *st, const char *path, char *to, size_t n,
		       size_t *got, bool *found, struct err *e)
{
	int fd = openat(posix_dir(st), path, POSIX_READ_FLAGS);
	ssize_t r;

	*found = fd >= 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s/%s", st->name, path);
	r = pread(fd, to, n, 0);
	*got = r > 0 ? (size_t)r : 0;
	if (r < 0)
		err_sys(e, "read %s/%s", st->name, path);
	close(fd);
	return r < 0 ? -1 : 0;
}

/* put_exclusive - synced before it has its name, and its name then: the one sync that a
 * message gets, behind the link, lets a power cut in between leave an empty object, which
 * recovery clears away for messages only */
static int put_exclusive(struct storage *st, const char *path, struct str bytes,
			 int flags, bool *existed, struct err *e)
{
	bool durable = flags & STORAGE_DURABLE;
	char dir[PATH_MAX], temp[PATH_MAX];

	posix_parent(path, dir);

	int fd = posix_temp_open(st, dir, temp, e), rc = -1;

	if (fd < 0)
		return -1;
	if (posix_write_all(fd, bytes, 0) < 0) {
		err_sys(e, "write %s/%s", st->name, path);
		goto out;
	}
	if (durable && fsync(fd) < 0) {
		storage_sync_failed(st, path, e);
		goto out;
	}

	int linked = posix_temp_link(st, fd, temp, path, e);

	if (linked < 0)
		goto out;
	*existed = linked == 1;
	rc = linked == 0 && durable ? posix_sync_dir(st, dir, e) : 0;
out:
	if (temp[0] != '\0')
		unlinkat(posix_dir(st), temp, 0);
	close(fd);
	return rc;
}

/* put_replace - the new text must be on disk before its name is: a rename that
 * overtakes the data would leave nothing of the old object either */
static int put_replace(struct storage *st, const char *path, struct str bytes, int flags,
		       struct err *e)
{
	char dir[PATH_MAX], temp[PATH_MAX];
	int rc = -1;

	posix_parent(path, dir);

	int fd = posix_hidden_open(st, dir, temp, e);

	if (fd < 0)
		return -1;
	if (posix_write_all(fd, bytes, 0) < 0)
		err_sys(e, "write %s/%s", st->name, temp);
	else if (fsync(fd) < 0)
		storage_sync_failed(st, temp, e);
	else if (renameat(posix_dir(st), temp, posix_dir(st), path) < 0)
		err_sys(e, "rename %s/%s", st->name, temp);
	else
		rc = 0;
	close(fd);
	if (rc < 0)
		unlinkat(posix_dir(st), temp, 0);
	else if (flags & STORAGE_DURABLE)
		rc = posix_sync_dir(st, dir, e);
	return rc;
}

static int posix_put(struct storage *st, const char *path, struct str bytes, int flags,
		     bool *existed, struct err *e)
{
	if (posix_make_dirs(st, path, flags & STORAGE_DURABLE, e) < 0)
		return -1;
	if (flags & STORAGE_EXCLUSIVE)
		return put_exclusive(st, path, bytes, flags, existed, e);
	return put_replace(st, path, bytes, flags, e);
}

static int posix_remove(struct storage *st, const char *path, int flags, struct err *e)
{
	char dir[PATH_MAX];

	if (unlinkat(posix_dir(st), path, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_sys(e, "remove %s/%s", st->name, path);
	if (!(flags & STORAGE_DURABLE))
		return 0;
	posix_parent(path, dir);
	/* A directory that is not there holds nothing that could come back. */
	return posix_sync_dir(st, dir, e) < 0 && e->sys != ENOENT ? -1 : 0;
}

static int posix_rename(struct storage *st, const char *from, const char *to,
			bool *existed, struct err *e)
{
	char from_dir[PATH_MAX], to_dir[PATH_MAX];

	if (posix_make_dirs(st, to, true, e) < 0)
		return -1;
	if (renameat2(posix_dir(st), from, posix_dir(st), to, RENAME_NOREPLACE) < 0) {
		*existed = errno == EEXIST;
		return *existed ? 0
				: err_sys(e, "rename %s/%s to %s", st->name, from, to);
	}
	posix_parent(from, from_dir);
	posix_parent(to, to_dir);
	if (posix_sync_dir(st, to_dir, e) < 0)
		return -1;
	return strcmp(from_dir, to_dir) ? posix_sync_dir(st, from_dir, e) : 0;
}

static int posix_exists(struct storage *st, const char *path, bool *found, struct err *e)
{
	*found = faccessat(posix_dir(st), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (!*found && errno != ENOENT)
		return err_sys(e, "look for %s/%s", st->name, path);
	return 0;
}

/* ---- stamps ---------------------------------------------------------------------- */

/* As much as a file system may round a time down; the kernel's own clock ticks faster. */
enum { STAMP_AGE_MS = 2000 };

/* is_settled - a change that comes now would have another time than this one.  A clock that
 * is set back could only give a file the time of an older one to the nanosecond. */
static bool is_settled(const struct stat *sb)
{
	uint64_t changed = (uint64_t)sb->st_ctim.tv_sec * 1000 +
			   (uint64_t)sb->st_ctim.tv_nsec / 1000000;

	return changed + STAMP_AGE_MS <= clock_unix_ms();
}

/* A replaced object is another inode; while an inode is the same, every write to it, and to
 * its name, changes its ctime, which nobody can set. */
static uint64_t stamp_of(const struct posix *st, const struct stat *sb)
{
	const uint64_t facts[] = {sb->st_ino, (uint64_t)sb->st_ctim.tv_sec,
				  (uint64_t)sb->st_ctim.tv_nsec, (uint64_t)sb->st_size};

	if (!st->stamps || sb->st_dev != st->device || !S_ISREG(sb->st_mode) ||
	    !is_settled(sb))
		return 0;
	return XXH3_64bits(facts, sizeof facts);
}

static int posix_stamp(struct storage *st, const char *path, uint64_t *stamp, bool *found,
		       struct err *e)
{
	struct stat sb;

	*found = fstatat(posix_dir(st), path, &sb, AT_SYMLINK_NOFOLLOW) == 0;
	if (!*found)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s/%s", st->name, path);
	*stamp = stamp_of((const struct posix *)st, &sb);
	return 0;
}

/* ---- the table ------------------------------------------------------------------ */

const struct storage_engine storage_posix = {
	.scheme = "posix",
	.make = posix_make,
	.open = posix_open,
	.close = posix_close,
	.space = posix_space,
	.sync = posix_sync,
	.ground = posix_ground,
	.read = posix_read,
	.put = posix_put,
	.remove = posix_remove,
	.rename = posix_rename,
	.exists = posix_exists,
	.stamp = posix_stamp,
	.fetch = posix_fetch,
	.make_dir = posix_make_dir,
	.remove_dir = posix_remove_dir,
	.list = posix_list,
	.uncache = posix_uncache,
	.sweep = posix_sweep,
	.names_next = posix_names_next,
	.names_end = posix_names_end,
	.draft_begin = posix_draft_begin,
	.draft_write = posix_draft_write,
	.draft_read = posix_draft_read,
	.draft_commit = posix_draft_commit,
	.draft_end = posix_draft_end,
	.file_open = posix_file_open,
	.file_close = posix_file_close,
	.file_fd = posix_file_fd,
	.file_size = posix_file_size,
	.file_read = posix_file_read,
	.file_write = posix_file_write,
	.file_cut = posix_file_cut,
	.file_sync = posix_file_sync,
	.file_lock = posix_file_lock,
	.lease_take = posix_lease_take,
	.lease_drop = posix_lease_drop,
	.lease_set_time = posix_lease_set_time,
};

int storage_open_posix(const char *directory, struct storage **out, struct err *e)
{
	*out = NULL;
	if (posix_open(directory, out, e) < 0)
		return -1;
	(*out)->engine = &storage_posix;
	return 0;
}
