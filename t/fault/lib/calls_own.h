/* SPDX-License-Identifier: ISC */
/*
 * calls_own - the functions of calls.h; include it once, in the program that wants them, and
 * before all others: what _FORTIFY_SOURCE makes inline cannot be defined here.
 */
#ifndef FAULT_CALLS_OWN_H
#define FAULT_CALLS_OWN_H

#undef _FORTIFY_SOURCE

#include "lib/base.h"
#include "t/fault/lib/calls.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALLS_COUNTED_MAX = 1 << 16 };

static struct {
	struct calls_plan plan;
	bool armed, struck, full;
	uint64_t n;
	unsigned char names[CALLS_COUNTED_MAX];
} calls;

const char *call_text(enum call_name name)
{
	static const char *const text[CALL_NAMES] = {
		"openat", "pread",     "pwrite",   "fsync",   "fdatasync", "syncfs",
		"linkat", "renameat",  "unlinkat", "mkdirat", "ftruncate", "flock",
		"fstat",  "faccessat", "fstatvfs", "readdir", "futimens",
	};

	return text[name];
}

void calls_arm(const struct calls_plan *plan)
{
	calls.plan = plan ? *plan : (struct calls_plan){0};
	calls.n = 0;
	calls.struck = false;
	calls.armed = true;
}

void calls_disarm(void)
{
	calls.armed = false;
}

uint64_t calls_counted(void)
{
	return calls.n;
}

enum call_name calls_name_of(uint64_t call)
{
	must(call > 0 && call <= calls.n);
	return (enum call_name)calls.names[call];
}

bool calls_struck(void)
{
	return calls.struck;
}

void calls_set_full(bool full)
{
	calls.full = full;
}

/* hits - this call is one that goes wrong */
static bool hits(enum call_name name)
{
	const struct calls_plan *p = &calls.plan;

	if (!calls.armed)
		return false;
	calls.n++;
	must(calls.n < CALLS_COUNTED_MAX);
	calls.names[calls.n] = (unsigned char)name;
	if (p->at == 0 || calls.n < p->at)
		return false;
	if (calls.n > p->at && !(p->forever && name == calls_name_of(p->at)))
		return false;
	calls.struck = true;
	if (p->fault == CALL_EXITS)
		_exit(0);
	return true;
}

/* fails - and errno says how; what can be done in part is asked for with part() */
static bool fails(enum call_name name)
{
	if (!hits(name))
		return false;
	errno = calls.plan.error;
	return true;
}

static bool no_space(bool needs_some)
{
	if (calls.full && needs_some)
		errno = ENOSPC;
	return calls.full && needs_some;
}

/* part - how much of n octets is done; -1: it fails */
static ssize_t part(enum call_name name, size_t n)
{
	if (!hits(name))
		return (ssize_t)n;
	errno = calls.plan.error;
	switch (calls.plan.fault) {
	case CALL_DOES_ONE:
		return n > 1 ? 1 : (ssize_t)n;
	case CALL_DOES_HALF:
		return (ssize_t)(n + 1) / 2;
	case CALL_DOES_NONE:
	case CALL_LIES:
		return 0;
	case CALL_FAILS:
	case CALL_EXITS:
		break;
	}
	return -1;
}

/* ---- the calls ---------------------------------------------------------------------- */

int openat(int dir, const char *path, int flags, ...)
{
	bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	int mode = 0;

	if (makes) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, int);
		va_end(ap);
	}
	if (fails(CALL_OPENAT) || no_space(makes))
		return -1;
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
	ssize_t some = part(CALL_PREAD, n);

	return some < 0 ? -1 : syscall(SYS_pread64, fd, to, some, at);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
	ssize_t some = part(CALL_PWRITE, n);
	struct stat sb;

	if (some < 0 ||
	    no_space(syscall(SYS_fstat, fd, &sb) == 0 && at + (off_t)n > sb.st_size))
		return -1;
	if (some == 0)
		return calls.plan.fault == CALL_LIES ? (ssize_t)n : 0;
	return syscall(SYS_pwrite64, fd, from, some, at);
}

int fsync(int fd)
{
	return fails(CALL_FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(CALL_FDATASYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	return fails(CALL_SYNCFS) ? -1 : (int)syscall(SYS_syncfs, fd);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return fails(CALL_LINKAT)
		       ? -1
		       : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return fails(CALL_RENAMEAT)
		       ? -1
		       : (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return fails(CALL_RENAMEAT)
		       ? -1
		       : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *path, int flags)
{
	return fails(CALL_UNLINKAT) ? -1 : (int)syscall(SYS_unlinkat, dir, path, flags);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	if (fails(CALL_MKDIRAT) || no_space(true))
		return -1;
	return (int)syscall(SYS_mkdirat, dir, path, mode);
}

int ftruncate(int fd, off_t size)
{
	return fails(CALL_FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int flock(int fd, int operation)
{
	return fails(CALL_FLOCK) ? -1 : (int)syscall(SYS_flock, fd, operation);
}

int fstat(int fd, struct stat *sb)
{
	return fails(CALL_FSTAT) ? -1 : (int)syscall(SYS_fstat, fd, sb);
}

int faccessat(int dir, const char *path, int mode, int flags)
{
	return fails(CALL_FACCESSAT)
		       ? -1
		       : (int)syscall(SYS_faccessat2, dir, path, mode, flags);
}

int futimens(int fd, const struct timespec t[2])
{
	return fails(CALL_FUTIMENS) ? -1 : (int)syscall(SYS_utimensat, fd, NULL, t, 0);
}

/* Not a system call each: what the C library has is asked. */

int fstatvfs(int fd, struct statvfs *v)
{
	static int (*real)(int, struct statvfs *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fstatvfs");
	return fails(CALL_FSTATVFS) ? -1 : real(fd, v);
}

struct dirent *readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	return fails(CALL_READDIR) ? NULL : real(d);
}

#endif
