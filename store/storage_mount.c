/* SPDX-License-Identifier: ISC */
/*
 * storage_mount - tells one mount of a file system from the next
 *
 * A maildrop line that was written but not synced is lost by a power cut and by
 * nothing else.  If the kernel can prove that this is still the mount in which the
 * line was written (same boot, and a mount id that is never used twice), recovery
 * may be exact instead of careful.
 */
#include "store/storage_posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux 6.8; Debian 12's headers do not have it yet.  Older kernels ignore the bit
 * in the request and do not set it in the answer. */
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

static bool boot_id(char out[37])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;

	ssize_t n = read(fd, out, 36);

	close(fd);
	out[36] = '\0';
	return n == 36;
}

void posix_mount(struct storage *st)
{
	struct statx sx = {0};
	char boot[37];

	st->mount[0] = '\0';
	if (statx(posix_dir(st), "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &sx) < 0 ||
	    !(sx.stx_mask & STATX_MNT_ID_UNIQUE) || !boot_id(boot))
		return;

	/* Debian 12's struct statx has the field, as stx_mnt_id, since 5.8. */
	snprintf(st->mount, sizeof st->mount, "%s/%llx", boot,
		 (unsigned long long)sx.stx_mnt_id);
}
