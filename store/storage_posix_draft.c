/* SPDX-License-Identifier: ISC */
#include "store/storage_posix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct posix_draft {
	struct storage_draft base;
	int fd;
	char temp[PATH_MAX]; /* "" unless it has a hidden name */
	char path[];
};

/* A file without a name is made in the directory where its name will be: Btrfs then
 * writes a new directory along with the file's fsync, and does not otherwise. */
static int draft_open(struct posix_draft *d, struct err *e)
{
	char dir[PATH_MAX];

	posix_parent(d->path, dir);
	d->fd = posix_temp_open(d->base.st, dir, d->temp, e);
	if (d->fd < 0 && e->sys == ENOENT) {
		if (posix_make_dirs(d->base.st, d->path, true, e) < 0)
			return -1;
		d->fd = posix_temp_open(d->base.st, dir, d->temp, e);
	}
	return d->fd < 0 ? -1 : 0;
}

int posix_draft_begin(struct storage *st, const char *path, struct storage_draft **out,
		      struct err *e)
{
	size_t n = strlen(path) + 1;
	struct posix_draft *d = xalloc(sizeof *d + n);

	d->base.st = st;
	d->base.path = memcpy(d->path, path, n);
	if (draft_open(d, e) < 0) {
		xfree(&d);
		return -1;
	}
	*out = &d->base;
	return 0;
}

static int draft_fd(const struct storage_draft *d)
{
	return ((const struct posix_draft *)d)->fd;
}

int posix_draft_write(struct storage_draft *d, uint64_t offset, struct str bytes,
		      struct err *e)
{
	if (posix_write_all(draft_fd(d), bytes, offset) < 0)
		return err_sys(e, "write %s/%s", d->st->name, d->path);
	return 0;
}

int posix_draft_read(struct storage_draft *d, uint64_t offset, char *to, size_t n,
		     size_t *got, struct err *e)
{
	if (posix_read_some(draft_fd(d), offset, to, n, d->at, got) < 0)
		return err_sys(e, "read %s/%s", d->st->name, d->path);
	return 0;
}

/* link_in - gives it its name where somebody may have removed the directory as empty since
 * the draft was begun; *moved tells that it was made again */
static int link_in(struct posix_draft *d, bool *moved, struct err *e)
{
	*moved = false;
	for (int tries = 0;; tries++) {
		int rc = posix_temp_link(d->base.st, d->fd, d->temp, d->path, e);

		if (rc == 1)
			return err_set(e, ERR_TEMP, "4.3.0", "%s/%s exists already",
				       d->base.st->name, d->path);
		if (rc == 0 || e->sys != ENOENT || tries == 8)
			return rc;
		*moved = true;
		if (posix_make_dirs(d->base.st, d->path, true, e) < 0)
			return -1;
	}
}

int posix_draft_commit(struct storage_draft *base, struct err *e)
{
	struct posix_draft *d = (struct posix_draft *)base;
	struct storage *st = base->st;
	bool moved, hidden = d->temp[0] != '\0';

	if (link_in(d, &moved, e) < 0)
		return -1;
	if (posix_temp_sync(st, d->fd, d->path, moved || hidden, e) == 0)
		return 0;
	unlinkat(posix_dir(st), d->path, 0);
	return -1;
}

void posix_draft_end(struct storage_draft *base)
{
	struct posix_draft *d = (struct posix_draft *)base;

	if (d->temp[0] != '\0')
		unlinkat(posix_dir(base->st), d->temp, 0);
	close(d->fd);
	xfree(&d);
}
