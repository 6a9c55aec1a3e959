/* SPDX-License-Identifier: ISC */
/*
 * lie - a library that breaks one promise at a time, for the controls of t/crash
 *
 * Preloaded (LD_PRELOAD) into any of the programs; POPSTORE_LIE says how it lies:
 *
 *   directories    a sync of a directory does nothing
 *   answer-first   a sync of a file waits until the answer to the client is out
 *   release-first  a sync of a maildrop waits until the messages have been released
 *   name-first     a sync of a file waits until the file has its name
 *   cuts           to make a file one octet longer and to cut it again does nothing
 *   none           no lie: only the gate, at the same place as with release-first
 *
 * Just before the sync that was put off (with "none": just after the sync) the thread
 * waits while the first octet of the file named by POPSTORE_LIE_GATE is 'x', so that the
 * power can be cut exactly there; it makes the second one 'x' first.  The file is mapped
 * at the start: later the program has given up its right to open it.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static _Thread_local int put_off = -1; /* what is still to be synced */
static _Thread_local bool synced;      /* a maildrop was, and the answer is not out */

static bool lies(const char *how)
{
	const char *lie = getenv("POPSTORE_LIE");

	return lie != NULL && strcmp(lie, how) == 0;
}

static volatile char *gate;

__attribute__((constructor)) static void map_gate(void)
{
	const char *path = getenv("POPSTORE_LIE_GATE");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		gate = p;
	close(fd);
}

static void wait_at_gate(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	if (gate == NULL || gate[0] != 'x')
		return;
	gate[1] = 'x';
	while (gate[0] == 'x')
		nanosleep(&pause, NULL);
}

static void sync_now(void)
{
	if (put_off < 0)
		return;
	syscall(SYS_fsync, put_off);
	close(put_off);
	put_off = -1;
}

static void make_good(void)
{
	if (put_off >= 0)
		wait_at_gate();
	sync_now();
}

/* Only the last one is put off: one lie at a time. */
static int later(int fd)
{
	sync_now();
	put_off = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return put_off < 0 ? -1 : 0;
}

static bool is_directory(int fd)
{
	struct stat sb;

	return fstat(fd, &sb) == 0 && S_ISDIR(sb.st_mode);
}

int fsync(int fd)
{
	bool directory = is_directory(fd);

	if (directory && lies("directories"))
		return 0;
	if (!directory && (lies("answer-first") || lies("name-first")))
		return later(fd);

	int rc = (int)syscall(SYS_fsync, fd);

	if (directory && lies("name-first"))
		make_good();
	return rc;
}

int fdatasync(int fd)
{
	if (lies("answer-first") || lies("release-first"))
		return later(fd);
	synced = true;
	return (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t size)
{
	struct stat sb;

	if (lies("cuts") && fstat(fd, &sb) == 0 &&
	    (size == sb.st_size || size == sb.st_size + 1))
		return 0;
	return (int)syscall(SYS_ftruncate, fd, size);
}

ssize_t send(int fd, const void *octets, size_t n, int flags)
{
	if (lies("release-first"))
		make_good();
	if (synced && lies("none"))
		wait_at_gate();
	synced = false;

	ssize_t sent = syscall(SYS_sendto, fd, octets, n, flags, NULL, 0);

	if (lies("answer-first"))
		make_good();
	return sent;
}
