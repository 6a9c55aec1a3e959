/* SPDX-License-Identifier: ISC */
#include "store/storage_posix.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int posix_hidden_open(struct storage *st, const char *dir, char temp[PATH_MAX],
		      struct err *e)
{
	static atomic_uint counter;
	int fd;

	do {
		snprintf(temp, PATH_MAX, "%s/" POSIX_HIDDEN "%ld.%u", dir, (long)getpid(),
			 atomic_fetch_add(&counter, 1));
		fd = openat(posix_dir(st), temp,
			    O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC,
			    POSIX_FILE_MODE);
	} while (fd < 0 && errno == EEXIST); /* left by one who had our process id */
	/* Nobody else has it so early; where there are no locks its age has to do. */
	if (fd >= 0)
		(void)flock(fd, LOCK_EX | LOCK_NB);
	return fd < 0 ? err_sys(e, "create %s/%s", st->name, temp) : fd;
}

int posix_temp_open(struct storage *st, const char *dir, char temp[PATH_MAX],
		    struct err *e)
{
	int fd = openat(posix_dir(st), dir, O_TMPFILE | O_RDWR | O_CLOEXEC,
			POSIX_FILE_MODE);

	temp[0] = '\0';
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return err_sys(e, "create in %s/%s", st->name, dir);
	return posix_hidden_open(st, dir, temp, e);
}

int posix_temp_link(struct storage *st, int fd, char *temp, const char *path,
		    struct err *e)
{
	char self[64];
	int rc;

	if (temp[0] != '\0') {
		rc = linkat(posix_dir(st), temp, posix_dir(st), path, 0);
		if (rc == 0 || errno == EEXIST) {
			int kept = errno;

			unlinkat(posix_dir(st), temp, 0);
			temp[0] = '\0';
			errno = kept;
		}
	} else {
		snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
		rc = linkat(AT_FDCWD, self, posix_dir(st), path, AT_SYMLINK_FOLLOW);
	}
	if (rc < 0 && errno == EEXIST)
		return 1;
	return rc < 0 ? err_sys(e, "link %s/%s", st->name, path) : 0;
}

int posix_temp_sync(struct storage *st, int fd, const char *path, bool dir_too,
		    struct err *e)
{
	char dir[PATH_MAX];

	if (fsync(fd) < 0)
		return storage_sync_failed(st, path, e);
	if (!dir_too)
		return 0;
	posix_parent(path, dir);
	return posix_sync_dir(st, dir, e);
}

int posix_write_all(int fd, struct str bytes, uint64_t at)
{
	while (bytes.n > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* nothing, and no reason: for ever, perhaps */
		if (n <= 0)
			return -1;
		at += (uint64_t)n;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return 0;
}

int posix_read_some(int fd, uint64_t at, char *to, size_t n, uint64_t size, size_t *got)
{
	for (*got = 0; *got < n;) {
		ssize_t r = pread(fd, to + *got, n - *got, (off_t)(at + *got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		*got += (size_t)r;
		if (r == 0 || at + *got == size)
			break;
	}
	return 0;
}
