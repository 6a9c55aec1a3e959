/* SPDX-License-Identifier: ISC */
/*
 * slow_sync - every sync takes POPSTORE_SYNC_MS longer, as on a slow disk
 *
 * Preloaded into all servers that are compared.  The sync itself is done, then its caller
 * waits: syncs of several threads or processes wait side by side, as on a disk with a queue.
 * A program that syncs by a call that is not among these would be spared: the driver looks
 * whether a delivery takes as long (t/bench/drive/compare.py).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_longer(void)
{
	const char *ms = getenv("POPSTORE_SYNC_MS");
	long n = ms ? strtol(ms, NULL, 10) : 5;
	struct timespec left = {n / 1000, n % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static int slow(long call, int fd)
{
	int rc = (int)syscall(call, fd), why = errno;

	wait_longer();
	errno = why;
	return rc;
}

int fsync(int fd)
{
	return slow(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return slow(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	return slow(SYS_syncfs, fd);
}
