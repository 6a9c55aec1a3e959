/* SPDX-License-Identifier: ISC */
#include "store/storage_posix.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void posix_parent(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(out, PATH_MAX, ".");
	else
		snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

int posix_sync_dir(struct storage *st, const char *path, struct err *e)
{
	int fd = openat(posix_dir(st), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s/%s", st->name, path);

	int rc = fsync(fd);

	if (rc < 0)
		storage_sync_failed(st, path, e);
	close(fd);
	return rc;
}

int posix_make_dirs(struct storage *st, const char *path, bool durable, struct err *e)
{
	char dir[PATH_MAX], above[PATH_MAX];

	posix_parent(path, dir);
	if (strcmp(dir, ".") == 0)
		return 0;
	if (mkdirat(posix_dir(st), dir, POSIX_DIR_MODE) < 0) {
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			return err_sys(e, "make directory %s/%s", st->name, dir);
		if (posix_make_dirs(st, dir, durable, e) < 0)
			return -1;
		if (mkdirat(posix_dir(st), dir, POSIX_DIR_MODE) < 0 && errno != EEXIST)
			return err_sys(e, "make directory %s/%s", st->name, dir);
	}
	if (!durable)
		return 0;
	posix_parent(dir, above);
	return posix_sync_dir(st, above, e);
}

int posix_make_dir(struct storage *st, const char *path, struct err *e)
{
	char inside[PATH_MAX];

	snprintf(inside, sizeof inside, "%s/.", path);
	return posix_make_dirs(st, inside, true, e);
}

int posix_remove_dir(struct storage *st, const char *path, struct err *e)
{
	if (unlinkat(posix_dir(st), path, AT_REMOVEDIR) < 0 && errno != ENOENT &&
	    errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, "remove directory %s/%s", st->name, path);
	return 0;
}

/* ---- listing ---------------------------------------------------------------- */

struct posix_names {
	struct storage_names base;
	DIR *d;      /* NULL: the directory is not there */
	bool hidden; /* what begins with a dot, too */
	int error;   /* errno, when reading failed */
	char path[]; /* for messages to people */
};

int posix_list(struct storage *st, const char *path, bool hidden,
	       struct storage_names **out, struct err *e)
{
	size_t n = strlen(path) + 1;
	int fd = openat(posix_dir(st), path,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*out = NULL;
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "list %s/%s", st->name, path);

	struct posix_names *names = xalloc(sizeof *names + n);

	names->base.st = st;
	names->hidden = hidden;
	memcpy(names->path, path, n);
	if (fd >= 0) {
		names->d = fdopendir(fd);
		must(names->d != NULL);
	}
	*out = &names->base;
	return 0;
}

const char *posix_names_next(struct storage_names *base)
{
	struct posix_names *n = (struct posix_names *)base;
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

int posix_names_end(struct storage_names *base, struct err *e)
{
	struct posix_names *n = (struct posix_names *)base;
	int rc = 0;

	errno = n->error;
	if (n->error != 0)
		rc = err_sys(e, "read directory %s/%s", base->st->name, n->path);
	if (n->d != NULL)
		closedir(n->d);
	xfree(&n);
	return rc;
}
