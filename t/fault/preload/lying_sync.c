/* SPDX-License-Identifier: ISC */
/*
 * lying_sync - a control: a sync that fails is taken for one that did not
 *
 * Preloaded into the programs under test.  What believes these answers must lose mail
 * on a disk that loses writes, and the rig must see it.
 */
#include <dlfcn.h>
#include <stddef.h>

static int lie(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	real(fd);
	return 0;
}

int fsync(int fd)
{
	return lie("fsync", fd);
}

int fdatasync(int fd)
{
	return lie("fdatasync", fd);
}

int syncfs(int fd)
{
	return lie("syncfs", fd);
}
