/* SPDX-License-Identifier: ISC */
#include "store/storage.h"
#include "store/storage_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * The posix engine.  All names are resolved below one directory descriptor, and
 * no component is ever followed as a symbolic link where this process made it.
 *
 * One fsync makes a new file and its name durable: the file is made without a
 * name (O_TMPFILE) in its final directory, filled, linked, and only then synced.
 * ext4, XFS and Btrfs commit the link with the inode, since both are part of the
 * transaction (or the log) that the fsync forces out; doc/STORE.md has the
 * argument and the proof.
 */

enum {
	DIR_MODE = 0700,
	FILE_MODE = 0600,
	/* Not to wait for the other end of a FIFO that lies where a file should; a
	 * read from one is then an error like any other. */
	READ_FLAGS = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
};

int storage_open_posix(const char *directory, struct storage **out, struct err *e)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*out = NULL;
	if (dir < 0)
		return err_sys(e, "open %s", directory);
	*out = xalloc(sizeof **out);
	(*out)->dir = dir;
	(*out)->name = xstrdup(directory);
	storage_posix_mount(*out);
	return 0;
}

void storage_close(struct storage **st)
{
	if (*st == NULL)
		return;
	close((*st)->dir);
	xfree(&(*st)->name);
	xfree(st);
}

const char *storage_name(const struct storage *st)
{
	return st->name;
}

bool storage_failed(const struct storage *st)
{
	return atomic_load(&st->failed);
}

/* sync_failed - what was written may be lost although the kernel will say
 * otherwise next time (P3): this storage takes nothing more */
static int sync_failed(struct storage *st, const char *path, struct err *e)
{
	err_sys(e, "sync %s/%s", st->name, path);
	atomic_store(&st->failed, true);
	return -1;
}

static int may_write(const struct storage *st, struct err *e)
{
	if (storage_failed(st))
		return err_set(
			e, ERR_TEMP, "4.3.0",
			"%s takes no writes since a sync failed; check the disk and restart",
			st->name);
	return 0;
}

int storage_free_octets(struct storage *st, uint64_t *out, struct err *e)
{
	struct statvfs v;

	if (fstatvfs(st->dir, &v) < 0)
		return err_sys(e, "statvfs %s", st->name);
	*out = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

/* ---- directories ----------------------------------------------------------- */

/* parent_of - the directory part of a path, "." when it has none */
static void parent_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(out, PATH_MAX, ".");
	else
		snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

static int sync_dir(struct storage *st, const char *path, struct err *e)
{
	int fd = openat(st->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s/%s", st->name, path);

	int rc = fsync(fd);

	if (rc < 0)
		sync_failed(st, path, e);
	close(fd);
	return rc;
}

/* make_dirs - the directories above `path`, each synced into its parent */
static int make_dirs(struct storage *st, const char *path, bool durable, struct err *e)
{
	char dir[PATH_MAX], above[PATH_MAX];

	parent_of(path, dir);
	if (strcmp(dir, ".") == 0)
		return 0;
	if (mkdirat(st->dir, dir, DIR_MODE) < 0) {
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			return err_sys(e, "make directory %s/%s", st->name, dir);
		if (make_dirs(st, dir, durable, e) < 0)
			return -1;
		if (mkdirat(st->dir, dir, DIR_MODE) < 0 && errno != EEXIST)
			return err_sys(e, "make directory %s/%s", st->name, dir);
	}
	if (!durable)
		return 0;
	parent_of(dir, above);
	return sync_dir(st, above, e);
}

int storage_make_dir(struct storage *st, const char *path, struct err *e)
{
	char inside[PATH_MAX];

	snprintf(inside, sizeof inside, "%s/.", path);
	return make_dirs(st, inside, true, e);
}

/* ---- whole small objects ---------------------------------------------------- */

static int write_all(int fd, struct str bytes, uint64_t at)
{
	while (bytes.n > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += (uint64_t)n;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return 0;
}

/* read_some - up to n octets; fewer only at the end of the file (a regular file gives
 * fewer for no other reason, so nobody asks a second time) */
static int read_some(int fd, uint64_t at, char *to, size_t n, size_t *got)
{
	ssize_t r;

	do
		r = pread(fd, to, n, (off_t)at);
	while (r < 0 && errno == EINTR);
	*got = r < 0 ? 0 : (size_t)r;
	return r < 0 ? -1 : 0;
}

/* read_to_end - *fits is false when there is more than `out` has room for */
static int read_to_end(int fd, struct buf *out, bool *fits)
{
	for (uint64_t at = 0;;) {
		size_t room = out->max - out->n, n = room < 4096 ? room : 4096, got;
		char beyond, *to = room ? buf_reserve(out, n) : &beyond;

		if (read_some(fd, at, to, room ? n : 1, &got) < 0)
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

int storage_read(struct storage *st, const char *path, struct buf *out, bool *found,
		 struct err *e)
{
	int fd = openat(st->dir, path, READ_FLAGS);
	bool fits;
	int rc;

	*found = fd >= 0;
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
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

/* hidden_open - a file whose name begins with a dot, as no name of the store does: what
 * a crash leaves of it is never listed, and no object has it */
static int hidden_open(struct storage *st, const char *dir, char temp[PATH_MAX],
		       struct err *e)
{
	static atomic_uint counter;
	int fd;

	do {
		snprintf(temp, PATH_MAX, "%s/.new.%ld.%u", dir, (long)getpid(),
			 atomic_fetch_add(&counter, 1));
		fd = openat(st->dir, temp,
			    O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC,
			    FILE_MODE);
	} while (fd < 0 && errno == EEXIST); /* left by one who had our process id */
	return fd < 0 ? err_sys(e, "create %s/%s", st->name, temp) : fd;
}

/* temp_open - a file without a name in a directory, or with a hidden one on file systems
 * that have no O_TMPFILE */
static int temp_open(struct storage *st, const char *dir, char temp[PATH_MAX],
		     struct err *e)
{
	int fd = openat(st->dir, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);

	temp[0] = '\0';
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return err_sys(e, "create in %s/%s", st->name, dir);
	return hidden_open(st, dir, temp, e);
}

/* link_name - gives an unnamed (or temporary) file its name; 1 = it is taken */
static int link_name(struct storage *st, int fd, char *temp, const char *path,
		     struct err *e)
{
	char self[64];
	int rc;

	if (temp[0] != '\0') {
		rc = linkat(st->dir, temp, st->dir, path, 0);
		if (rc == 0 || errno == EEXIST) {
			int kept = errno;

			unlinkat(st->dir, temp, 0);
			temp[0] = '\0';
			errno = kept;
		}
	} else {
		snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
		rc = linkat(AT_FDCWD, self, st->dir, path, AT_SYMLINK_FOLLOW);
	}
	if (rc < 0 && errno == EEXIST)
		return 1;
	return rc < 0 ? err_sys(e, "link %s/%s", st->name, path) : 0;
}

static int put_exclusive(struct storage *st, const char *path, struct str bytes,
			 int flags, bool *existed, struct err *e)
{
	char dir[PATH_MAX], temp[PATH_MAX];

	parent_of(path, dir);

	int fd = temp_open(st, dir, temp, e), rc = -1;

	if (fd < 0)
		return -1;
	if (write_all(fd, bytes, 0) < 0) {
		err_sys(e, "write %s/%s", st->name, path);
		goto out;
	}

	int linked = link_name(st, fd, temp, path, e);

	if (linked < 0)
		goto out;
	*existed = linked == 1;
	rc = 0;
	if (linked == 0 && (flags & STORAGE_DURABLE) && fsync(fd) < 0)
		rc = sync_failed(st, path, e);
out:
	if (temp[0] != '\0')
		unlinkat(st->dir, temp, 0);
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

	parent_of(path, dir);

	int fd = hidden_open(st, dir, temp, e);

	if (fd < 0)
		return -1;
	if (write_all(fd, bytes, 0) < 0)
		err_sys(e, "write %s/%s", st->name, temp);
	else if (fsync(fd) < 0)
		sync_failed(st, temp, e);
	else if (renameat(st->dir, temp, st->dir, path) < 0)
		err_sys(e, "rename %s/%s", st->name, temp);
	else
		rc = 0;
	close(fd);
	if (rc < 0)
		unlinkat(st->dir, temp, 0);
	else if (flags & STORAGE_DURABLE)
		rc = sync_dir(st, dir, e);
	return rc;
}

int storage_put(struct storage *st, const char *path, struct str bytes, int flags,
		bool *existed, struct err *e)
{
	bool unused;

	if (may_write(st, e) < 0 || make_dirs(st, path, flags & STORAGE_DURABLE, e) < 0)
		return -1;
	if (existed == NULL)
		existed = &unused;
	*existed = false;
	if (flags & STORAGE_EXCLUSIVE)
		return put_exclusive(st, path, bytes, flags, existed, e);
	return put_replace(st, path, bytes, flags, e);
}

int storage_remove(struct storage *st, const char *path, int flags, struct err *e)
{
	char dir[PATH_MAX];

	if (unlinkat(st->dir, path, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_sys(e, "remove %s/%s", st->name, path);
	if (!(flags & STORAGE_DURABLE))
		return 0;
	parent_of(path, dir);
	/* A directory that is not there holds nothing that could come back. */
	return sync_dir(st, dir, e) < 0 && e->sys != ENOENT ? -1 : 0;
}

int storage_remove_dir(struct storage *st, const char *path, struct err *e)
{
	if (unlinkat(st->dir, path, AT_REMOVEDIR) < 0 && errno != ENOENT &&
	    errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, "remove directory %s/%s", st->name, path);
	return 0;
}

int storage_rename(struct storage *st, const char *from, const char *to, bool *existed,
		   struct err *e)
{
	char from_dir[PATH_MAX], to_dir[PATH_MAX];

	*existed = false;
	if (may_write(st, e) < 0 || make_dirs(st, to, true, e) < 0)
		return -1;
	if (renameat2(st->dir, from, st->dir, to, RENAME_NOREPLACE) < 0) {
		*existed = errno == EEXIST;
		return *existed ? 0
				: err_sys(e, "rename %s/%s to %s", st->name, from, to);
	}
	parent_of(from, from_dir);
	parent_of(to, to_dir);
	if (sync_dir(st, to_dir, e) < 0)
		return -1;
	return strcmp(from_dir, to_dir) ? sync_dir(st, from_dir, e) : 0;
}

struct storage_names {
	DIR *d;      /* NULL: the directory is not there */
	bool hidden; /* what begins with a dot, too */
	int error;   /* errno, when reading failed */
};

int storage_remove_tree(struct storage *st, const char *path, struct err *e)
{
	struct storage_names *names;
	const char *name;
	int rc = 0;

	if (storage_list(st, path, &names, e) < 0)
		return -1;
	names->hidden = true;
	while (rc == 0 && (name = storage_names_next(names)) != NULL) {
		char inner[PATH_MAX];

		snprintf(inner, sizeof inner, "%s/%s", path, name);
		if (unlinkat(st->dir, inner, 0) < 0 && errno != ENOENT) {
			if (errno == EISDIR || errno == EPERM)
				rc = storage_remove_tree(st, inner, e);
			else
				rc = err_sys(e, "remove %s/%s", st->name, inner);
		}
	}
	if (storage_names_end(&names, e) < 0)
		return -1;
	return rc < 0 ? rc : storage_remove_dir(st, path, e);
}

int storage_exists(struct storage *st, const char *path, bool *found, struct err *e)
{
	*found = faccessat(st->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (!*found && errno != ENOENT && errno != ENOTDIR)
		return err_sys(e, "look for %s/%s", st->name, path);
	return 0;
}

/* ---- listing ---------------------------------------------------------------------- */

int storage_list(struct storage *st, const char *path, struct storage_names **out,
		 struct err *e)
{
	int fd = openat(st->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*out = NULL;
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "list %s/%s", st->name, path);
	*out = xalloc(sizeof **out);
	if (fd >= 0) {
		(*out)->d = fdopendir(fd);
		must((*out)->d != NULL);
	}
	return 0;
}

const char *storage_names_next(struct storage_names *n)
{
	struct dirent *de;

	if (n->d == NULL)
		return NULL;
	errno = 0;
	while ((de = readdir(n->d)) != NULL)
		if (de->d_name[0] != '.' || (n->hidden && strcmp(de->d_name, ".") != 0 &&
					     strcmp(de->d_name, "..") != 0))
			return de->d_name;
	n->error = errno;
	return NULL;
}

int storage_names_end(struct storage_names **n, struct err *e)
{
	int error = (*n)->error;

	if ((*n)->d != NULL)
		closedir((*n)->d);
	xfree(n);
	errno = error;
	return error ? err_sys(e, "read a directory") : 0;
}

/* ---- drafts ----------------------------------------------------------------------- */

struct storage_draft {
	struct storage *st;
	int fd;
	uint64_t at;
	char path[PATH_MAX], temp[PATH_MAX];
};

/* A file without a name is made in the directory where its name will be: Btrfs then
 * writes a new directory along with the file's fsync, and does not otherwise. */
static int draft_open(struct storage_draft *d, struct err *e)
{
	char dir[PATH_MAX];

	parent_of(d->path, dir);
	d->fd = temp_open(d->st, dir, d->temp, e);
	if (d->fd < 0 && e->sys == ENOENT) {
		if (make_dirs(d->st, d->path, true, e) < 0)
			return -1;
		d->fd = temp_open(d->st, dir, d->temp, e);
	}
	return d->fd < 0 ? -1 : 0;
}

int storage_draft_begin(struct storage *st, const char *path, struct storage_draft **out,
			struct err *e)
{
	struct storage_draft *d;

	*out = NULL;
	if (may_write(st, e) < 0)
		return -1;
	d = xalloc(sizeof *d);
	d->st = st;
	snprintf(d->path, sizeof d->path, "%s", path);
	if (draft_open(d, e) < 0) {
		xfree(&d);
		return -1;
	}
	*out = d;
	return 0;
}

int storage_draft_write(struct storage_draft *d, struct str bytes, struct err *e)
{
	if (write_all(d->fd, bytes, d->at) < 0)
		return err_sys(e, "write a message in %s", d->st->name);
	d->at += bytes.n;
	return 0;
}

int storage_draft_rewrite(struct storage_draft *d, uint64_t offset, struct str bytes,
			  struct err *e)
{
	must(offset + bytes.n <= d->at);
	if (write_all(d->fd, bytes, offset) < 0)
		return err_sys(e, "write a message in %s", d->st->name);
	return 0;
}

int storage_draft_read(struct storage_draft *d, uint64_t offset, char *to, size_t n,
		       size_t *got, struct err *e)
{
	if (read_some(d->fd, offset, to, n, got) < 0)
		return err_sys(e, "read a message in %s", d->st->name);
	return 0;
}

/* link_in - link_name() where somebody may have removed the directory as empty since the
 * draft was begun; *moved tells that it was made again */
static int link_in(struct storage_draft *d, bool *moved, struct err *e)
{
	*moved = false;
	for (int tries = 0;; tries++) {
		int rc = link_name(d->st, d->fd, d->temp, d->path, e);

		if (rc == 1)
			return err_set(e, ERR_TEMP, "4.3.0", "%s/%s exists already",
				       d->st->name, d->path);
		if (rc == 0 || e->sys != ENOENT || tries == 8)
			return rc;
		*moved = true;
		if (make_dirs(d->st, d->path, true, e) < 0)
			return -1;
	}
}

int storage_draft_commit(struct storage_draft *d, struct err *e)
{
	char dir[PATH_MAX];
	bool moved;

	if (may_write(d->st, e) < 0 || link_in(d, &moved, e) < 0)
		return -1;
	parent_of(d->path, dir);
	if (fsync(d->fd) < 0)
		sync_failed(d->st, d->path, e);
	else if (!moved || sync_dir(d->st, dir, e) == 0)
		return 0;
	unlinkat(d->st->dir, d->path, 0);
	return -1;
}

void storage_draft_end(struct storage_draft **d)
{
	if (*d == NULL)
		return;
	if ((*d)->temp[0] != '\0')
		unlinkat((*d)->st->dir, (*d)->temp, 0);
	close((*d)->fd);
	xfree(d);
}

/* ---- open objects ------------------------------------------------------------------ */

struct storage_file {
	struct storage *st;
	int fd;
	char path[]; /* for messages to people */
};

int storage_file_open(struct storage *st, const char *path, enum storage_mode mode,
		      struct storage_file **out, bool *found, struct err *e)
{
	static const int flags[] = {
		[STORAGE_READ] = READ_FLAGS,
		[STORAGE_WRITE] = O_RDWR,
		[STORAGE_APPEND] = O_RDWR | O_CREAT,
	};
	size_t n = strlen(path) + 1;

	*out = NULL;
	if (mode != STORAGE_READ && may_write(st, e) < 0)
		return -1;

	int fd = openat(st->dir, path, flags[mode] | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

	*found = fd >= 0;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(e, "open %s/%s", st->name, path);
	*out = xalloc(sizeof **out + n);
	(*out)->st = st;
	(*out)->fd = fd;
	memcpy((*out)->path, path, n);
	return 0;
}

void storage_file_close(struct storage_file **f)
{
	if (*f == NULL)
		return;
	close((*f)->fd);
	xfree(f);
}

int storage_file_fd(const struct storage_file *f)
{
	return f->fd;
}

static int file_error(const struct storage_file *f, const char *verb, struct err *e)
{
	return err_sys(e, "%s %s/%s", verb, f->st->name, f->path);
}

int storage_file_size(struct storage_file *f, uint64_t *out, struct err *e)
{
	struct stat sb;

	if (fstat(f->fd, &sb) < 0)
		return file_error(f, "stat", e);
	if (!S_ISREG(sb.st_mode))
		return err_set(e, ERR_TEMP, "4.3.0", "%s/%s is no regular file",
			       f->st->name, f->path);
	*out = (uint64_t)sb.st_size;
	return 0;
}

int storage_file_read(struct storage_file *f, uint64_t offset, char *to, size_t n,
		      size_t *got, struct err *e)
{
	return read_some(f->fd, offset, to, n, got) < 0 ? file_error(f, "read", e) : 0;
}

int storage_file_append(struct storage_file *f, uint64_t at, struct str bytes,
			struct err *e)
{
	uint64_t size;

	if (may_write(f->st, e) < 0 || storage_file_size(f, &size, e) < 0)
		return -1;
	if (size != at)
		return err_set(e, ERR_TEMP, "4.3.0", "%s/%s changed while it was locked",
			       f->st->name, f->path);
	if (write_all(f->fd, bytes, at) == 0)
		return 0;
	file_error(f, "write", e);
	/* A piece of a line may be there.  If even this fails the next writer cuts
	 * it, as after a crash. */
	if (ftruncate(f->fd, (off_t)at) < 0)
		err_add(e, "cut failed");
	return -1;
}

int storage_file_put_octet(struct storage_file *f, uint64_t offset, char octet,
			   struct err *e)
{
	if (write_all(f->fd, (struct str){&octet, 1}, offset) < 0)
		return file_error(f, "write", e);
	return 0;
}

int storage_file_cut(struct storage_file *f, uint64_t size, struct err *e)
{
	return ftruncate(f->fd, (off_t)size) < 0 ? file_error(f, "cut", e) : 0;
}

int storage_file_sync(struct storage_file *f, struct err *e)
{
	if (may_write(f->st, e) < 0)
		return -1;
	return fdatasync(f->fd) < 0 ? sync_failed(f->st, f->path, e) : 0;
}

int storage_file_lock(struct storage_file *f, bool *gone, struct err *e)
{
	struct stat sb;

	*gone = false;
	while (flock(f->fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return file_error(f, "lock", e);
	if (fstat(f->fd, &sb) < 0)
		return file_error(f, "stat", e);
	*gone = sb.st_nlink == 0;
	return 0;
}

/* ---- leases ------------------------------------------------------------------------ */

struct storage_lease {
	struct storage *st;
	int fd;
	uint64_t time_ms;
	char path[];
};

/* take - 0 taken, 1 held by somebody, -1 refused; -2 it was removed meanwhile */
static int take(int fd)
{
	struct stat sb;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 1 : -1;
	if (fstat(fd, &sb) < 0)
		return -1;
	return sb.st_nlink == 0 ? -2 : 0;
}

static uint64_t change_time_ms(int fd)
{
	struct stat sb;

	/* A lease object is empty and is written by nobody: its time is what
	 * storage_lease_set_time() made it; a fresh one is set to 0 below. */
	if (fstat(fd, &sb) < 0)
		return 0;
	return (uint64_t)sb.st_mtim.tv_sec * 1000 +
	       (uint64_t)sb.st_mtim.tv_nsec / 1000000;
}

static int lease_open(struct storage *st, const char *path, bool *fresh)
{
	int fd = openat(st->dir, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	*fresh = false;
	if (fd < 0 && errno == EROFS) /* the lock needs no right to write; NFS wants it */
		return openat(st->dir, path, READ_FLAGS);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = openat(st->dir, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    FILE_MODE);
	if (fd < 0 && errno == EEXIST)
		return openat(st->dir, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	*fresh = true;
	return fd;
}

int storage_lease_take(struct storage *st, const char *path, struct storage_lease **out,
		       struct err *e)
{
	size_t n = strlen(path) + 1;
	bool fresh;
	int fd, rc;

	*out = NULL;
	do {
		fd = lease_open(st, path, &fresh);
		if (fd < 0)
			return err_sys(e, "open %s/%s", st->name, path);
		rc = take(fd);
		if (rc != 0)
			close(fd);
	} while (rc == -2);
	if (rc == 1)
		return 0;
	if (rc < 0)
		return err_sys(e, "lock %s/%s", st->name, path);

	*out = xalloc(sizeof **out + n);
	(*out)->st = st;
	(*out)->fd = fd;
	memcpy((*out)->path, path, n);
	if (fresh) {
		struct err ignored; /* the time of a new lease is a nicety */

		(void)!storage_lease_set_time(*out, 0, &ignored);
	}
	(*out)->time_ms = fresh ? 0 : change_time_ms(fd);
	return 0;
}

void storage_lease_drop(struct storage_lease **l)
{
	if (*l == NULL)
		return;
	close((*l)->fd);
	xfree(l);
}

uint64_t storage_lease_time_ms(const struct storage_lease *l)
{
	return l->time_ms;
}

int storage_lease_set_time(struct storage_lease *l, uint64_t unix_ms, struct err *e)
{
	struct timespec t[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = (time_t)(unix_ms / 1000),
		 .tv_nsec = (long)(unix_ms % 1000) * 1000000},
	};

	if (futimens(l->fd, t) < 0)
		return err_sys(e, "set the time of %s/%s", l->st->name, l->path);
	return 0;
}

/* ---- everything ---------------------------------------------------------------------- */

int storage_sync(struct storage *st, struct err *e)
{
	if (may_write(st, e) < 0)
		return -1;
	return syncfs(st->dir) < 0 ? sync_failed(st, ".", e) : 0;
}
