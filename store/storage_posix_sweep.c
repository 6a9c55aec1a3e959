/* SPDX-License-Identifier: ISC */
#include "store/storage_posix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A store is not deeper: accounts/ab/cd/<name>/<file>. */
enum { DEPTH = 6 };

struct sweep {
	struct storage *st;
	uint64_t before_ms, swept;
	char path[PATH_MAX];
};

/* is_dead - old enough, and nobody has its lock: who makes such a file takes it at once,
 * and it ends with the process, wherever that runs */
static bool is_dead(const struct sweep *w, bool *directory)
{
	int fd = openat(posix_dir(w->st), w->path, POSIX_READ_FLAGS);
	struct stat sb;
	bool dead = fd >= 0 && fstat(fd, &sb) == 0 &&
		    (uint64_t)sb.st_mtim.tv_sec * 1000 < w->before_ms &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0;

	*directory = dead && S_ISDIR(sb.st_mode);
	if (fd >= 0)
		close(fd);
	return dead;
}

static int sweep_one(struct sweep *w, struct err *e)
{
	bool directory;

	if (!is_dead(w, &directory))
		return 0;
	if ((directory ? storage_remove_tree(w->st, w->path, e)
		       : storage_remove(w->st, w->path, 0, e)) < 0)
		return -1;
	w->swept++;
	return 0;
}

static bool is_directory(const struct sweep *w)
{
	struct stat sb;

	return fstatat(posix_dir(w->st), w->path, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(sb.st_mode);
}

static int sweep_dir(struct sweep *w, int depth, struct err *e);

/* sweep_entry - w->path, whose last component is `name` */
static int sweep_entry(struct sweep *w, const char *name, int depth, struct err *e)
{
	if (strncmp(name, POSIX_HIDDEN, strlen(POSIX_HIDDEN)) == 0)
		return sweep_one(w, e);
	if (name[0] == '.' || depth == DEPTH || !is_directory(w))
		return 0;
	return sweep_dir(w, depth + 1, e);
}

static int sweep_dir(struct sweep *w, int depth, struct err *e)
{
	size_t n = strlen(w->path);
	struct storage_names *names;
	const char *name;
	int rc = 0;

	if (posix_list(w->st, n ? w->path : ".", true, &names, e) < 0)
		return e->sys == EACCES ? 0 : -1; /* as somebody else's secrets are */
	while (rc == 0 && (name = posix_names_next(names)) != NULL) {
		snprintf(w->path + n, sizeof w->path - n, "%s%s", n ? "/" : "", name);
		rc = sweep_entry(w, name, depth, e);
		w->path[n] = '\0';
	}
	if (rc < 0) {
		(void)!posix_names_end(names, &(struct err){0});
		return -1;
	}
	return posix_names_end(names, e);
}

int posix_sweep(struct storage *st, uint64_t before_ms, uint64_t *swept, struct err *e)
{
	struct sweep w = {.st = st, .before_ms = before_ms};
	int rc = sweep_dir(&w, 0, e);

	*swept = w.swept;
	return rc;
}
