/* SPDX-License-Identifier: ISC */
#include "store/storage_posix.h"

#include "lib/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct posix_file {
	struct storage_file base;
	int fd;
	uint64_t size;  /* when somebody last asked, see posix_read_some() */
	bool untouched; /* then: by nobody since this storage was opened */
	bool locked;    /* by us, so that the size is what we made it */
	char path[];
};

int posix_file_open(struct storage *st, const char *path, enum storage_mode mode,
		    struct storage_file **out, bool *found, struct err *e)
{
	static const int flags[] = {
		[STORAGE_READ] = POSIX_READ_FLAGS,
		[STORAGE_WRITE] = O_RDWR,
		[STORAGE_APPEND] = O_RDWR | O_CREAT,
	};
	size_t n = strlen(path) + 1;

	int fd = openat(posix_dir(st), path, flags[mode] | O_NOFOLLOW | O_CLOEXEC,
			POSIX_FILE_MODE);

	*found = fd >= 0;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, "open %s/%s", st->name, path);

	struct posix_file *f = xalloc(sizeof *f + n);

	f->base.st = st;
	f->base.path = memcpy(f->path, path, n);
	f->fd = fd;
	*out = &f->base;
	return 0;
}

int posix_file_fd(const struct storage_file *f)
{
	return ((const struct posix_file *)f)->fd;
}

void posix_file_close(struct storage_file *f)
{
	close(posix_file_fd(f));
	xfree(&f);
}

static int file_error(const struct storage_file *f, const char *verb, struct err *e)
{
	return err_sys(e, "%s %s/%s", verb, f->st->name, f->path);
}

static uint64_t change_time_ms(const struct stat *sb)
{
	return (uint64_t)sb->st_mtim.tv_sec * 1000 +
	       (uint64_t)sb->st_mtim.tv_nsec / 1000000;
}

/* is_untouched - a clock that was set back makes no file younger than it is */
static bool is_untouched(const struct posix_file *f, const struct stat *sb)
{
	uint64_t changed = change_time_ms(sb);

	return changed < ((const struct posix *)f->base.st)->opened_ms ||
	       changed > clock_unix_ms();
}

/* look - what is to be known of the file */
static int look(struct posix_file *f, struct stat *sb, struct err *e)
{
	if (fstat(f->fd, sb) < 0)
		return file_error(&f->base, "stat", e);
	if (!S_ISREG(sb->st_mode)) {
		errno = EINVAL; /* what is there instead may be in the way of the real one */
		return err_sys(e, "%s/%s is no regular file", f->base.st->name, f->path);
	}
	f->size = (uint64_t)sb->st_size;
	f->untouched = is_untouched(f, sb);
	return 0;
}

int posix_file_size(struct storage_file *f, uint64_t *out, struct err *e)
{
	struct posix_file *p = (struct posix_file *)f;
	struct stat sb;

	if (!p->locked && look(p, &sb, e) < 0)
		return -1;
	*out = p->size;
	return 0;
}

int posix_file_read(struct storage_file *f, uint64_t offset, char *to, size_t n,
		    size_t *got, struct err *e)
{
	uint64_t size = ((const struct posix_file *)f)->size;

	return posix_read_some(posix_file_fd(f), offset, to, n, size, got) < 0
		       ? file_error(f, "read", e)
		       : 0;
}

/* bury - An append that a power cut stopped may have left its octets behind the end of
 * the file, in the rest of its last block.  ext4 may make the length of the next append
 * durable before its octets, and at another cut the old ones would be in the file: lines
 * that look right, and remove what nobody removed.  To be cut, even by nothing, is what
 * has a file system clear that rest, before it makes any later length durable. */
static int bury(struct posix_file *f, struct err *e)
{
	off_t end = (off_t)f->size;

	if (ftruncate(f->fd, end + 1) < 0 || ftruncate(f->fd, end) < 0)
		return file_error(&f->base, "cut", e);
	f->untouched = false;
	return 0;
}

int posix_file_write(struct storage_file *f, uint64_t offset, struct str bytes,
		     struct err *e)
{
	struct posix_file *p = (struct posix_file *)f;

	if (p->untouched && offset > 0 && offset == p->size && bury(p, e) < 0)
		return -1;
	if (posix_write_all(posix_file_fd(f), bytes, offset) < 0) {
		p->locked = false; /* nobody knows how much of it is there */
		return file_error(f, "write", e);
	}
	if (p->locked && p->size < offset + bytes.n)
		p->size = offset + bytes.n;
	return 0;
}

int posix_file_cut(struct storage_file *f, uint64_t size, struct err *e)
{
	if (ftruncate(posix_file_fd(f), (off_t)size) < 0)
		return file_error(f, "cut", e);
	((struct posix_file *)f)->size = size;
	return 0;
}

int posix_file_sync(struct storage_file *f, struct err *e)
{
	int fd = posix_file_fd(f);

	return fdatasync(fd) < 0 ? storage_sync_failed(f->st, f->path, e) : 0;
}

int posix_file_lock(struct storage_file *f, bool *gone, struct err *e)
{
	struct posix_file *p = (struct posix_file *)f;
	struct stat sb;

	*gone = false;
	while (flock(posix_file_fd(f), LOCK_EX) < 0)
		if (errno != EINTR)
			return file_error(f, "lock", e);
	if (look(p, &sb, e) < 0)
		return -1;
	*gone = sb.st_nlink == 0;
	p->locked = true;
	return 0;
}

void posix_uncache(struct storage *st, const char *path)
{
	int fd = openat(posix_dir(st), path, POSIX_READ_FLAGS);

	if (fd < 0)
		return;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

/* ---- leases ------------------------------------------------------------------ */

struct posix_lease {
	struct storage_lease base;
	int fd;
	char path[]; /* for messages to people */
};

/* take - 0 taken, 1 held by somebody, -1 refused; -2 it was removed meanwhile */
static int take(int fd, struct stat *sb)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 1 : -1;
	if (fstat(fd, sb) < 0)
		return -1;
	return sb->st_nlink == 0 ? -2 : 0;
}

/* A lease object is empty and is written by nobody: its time is what
 * storage_lease_set_time() made it; a fresh one is set to 0 below. */
static int lease_open(struct storage *st, const char *path, bool *fresh)
{
	int fd = openat(posix_dir(st), path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	*fresh = false;
	if (fd < 0 &&
	    errno == EROFS) { /* the lock needs no right to write; NFS wants it */
		fd = openat(posix_dir(st), path, POSIX_READ_FLAGS);
		if (fd < 0 && errno == ENOENT)
			errno = EROFS; /* it cannot be made here: not a sign that it is gone */
		return fd;
	}
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = openat(posix_dir(st), path,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, POSIX_FILE_MODE);
	if (fd < 0 && errno == EEXIST)
		return openat(posix_dir(st), path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	*fresh = true;
	return fd;
}

/* take_open - opens and locks; -1 with errno, 1 held by somebody */
static int take_open(struct storage *st, const char *path, int *fd, struct stat *sb,
		     bool *fresh)
{
	int rc;

	do {
		*fd = lease_open(st, path, fresh);
		if (*fd < 0)
			return -1;
		rc = take(*fd, sb);
		if (rc != 0) {
			int kept = errno;

			close(*fd);
			errno = kept;
		}
	} while (rc == -2);
	return rc;
}

int posix_lease_take(struct storage *st, const char *path, struct storage_lease **out,
		     struct err *e)
{
	size_t n = strlen(path) + 1;
	struct stat sb;
	bool fresh;
	int fd, rc = take_open(st, path, &fd, &sb, &fresh);

	if (rc < 0)
		return err_sys(e, "take %s/%s", st->name, path);
	if (rc == 1)
		return 0;

	struct posix_lease *l = xalloc(sizeof *l + n);

	l->base.st = st;
	l->fd = fd;
	memcpy(l->path, path, n);
	if (fresh) {
		struct err ignored; /* the time of a new lease is a nicety */

		(void)!posix_lease_set_time(&l->base, 0, &ignored);
	}
	l->base.time_ms = fresh ? 0 : change_time_ms(&sb);
	*out = &l->base;
	return 0;
}

void posix_lease_drop(struct storage_lease *base)
{
	struct posix_lease *l = (struct posix_lease *)base;

	close(l->fd);
	xfree(&l);
}

int posix_lease_set_time(struct storage_lease *base, uint64_t unix_ms, struct err *e)
{
	const struct posix_lease *l = (const struct posix_lease *)base;
	struct timespec t[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = (time_t)(unix_ms / 1000),
		 .tv_nsec = (long)(unix_ms % 1000) * 1000000},
	};

	if (futimens(l->fd, t) < 0)
		return err_sys(e, "set the time of %s/%s", base->st->name, l->path);
	return 0;
}
