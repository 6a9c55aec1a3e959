/* SPDX-License-Identifier: ISC */
/*
 * syscalls - what the store asks of the disk, seen and refused
 *
 * The test program's own fsync() and the like stand before those of the C library.
 * They note the calls in their order, a letter each, and fail on request:
 *
 *   F  fsync, fdatasync    S  syncfs    o  one octet written    U  a file removed
 *
 * Include it once, in the test's only file.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { SYSCALLS_MAX = 100000 };

static char syscalls_seen[SYSCALLS_MAX];
static atomic_size_t syscalls_n;
static atomic_bool syscalls_fail_sync;  /* EIO, until it is false again */
static atomic_int syscalls_good_syncs;  /* so many are done before one fails */
static atomic_bool syscalls_no_tmpfile; /* every file has a name, as on NFS */

static inline void syscalls_forget(void)
{
	atomic_store(&syscalls_n, 0);
	memset(syscalls_seen, 0, sizeof syscalls_seen);
}

static inline size_t syscalls_count(char c)
{
	size_t n = 0;

	for (const char *at = syscalls_seen; (at = strchr(at, c)) != NULL; at++)
		n++;
	return n;
}

static void note(char c)
{
	size_t at = atomic_fetch_add(&syscalls_n, 1);

	if (at < SYSCALLS_MAX - 1)
		syscalls_seen[at] = c;
}

static int sync_or_fail(char c, long number, int fd)
{
	note(c);
	if (atomic_load(&syscalls_fail_sync) &&
	    atomic_fetch_sub(&syscalls_good_syncs, 1) <= 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(number, fd);
}

int fsync(int fd)
{
	return sync_or_fail('F', SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return sync_or_fail('F', SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	return sync_or_fail('S', SYS_syncfs, fd);
}

int openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if ((flags & O_TMPFILE) == O_TMPFILE && atomic_load(&syscalls_no_tmpfile)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (n == 1)
		note('o');
	return syscall(SYS_pwrite64, fd, p, n, at);
}

int unlinkat(int dir, const char *path, int flags)
{
	if (flags == 0)
		note('U');
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

#endif
