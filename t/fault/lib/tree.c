/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/tree.h"

#include "lib/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat sb;

	must(in >= 0 && out >= 0 && stat(from, &sb) == 0);
	must(sendfile(out, in, NULL, (size_t)sb.st_size) == sb.st_size);
	close(in);
	close(out);
}

void tree_copy_files(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *de;

	must(d != NULL && mkdir(to, 0700) == 0);
	while ((de = readdir(d)) != NULL) {
		char a[PATH_MAX], b[PATH_MAX];

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(a, sizeof a, "%s/%s", from, de->d_name);
		snprintf(b, sizeof b, "%s/%s", to, de->d_name);
		if (de->d_type == DT_DIR)
			tree_copy_files(a, b);
		else
			copy_file(a, b);
	}
	closedir(d);
}

static int remove_one(const char *path, const struct stat *sb UNUSED, int type UNUSED,
		      struct FTW *where UNUSED)
{
	return remove(path);
}

void tree_remove_files(const char *path)
{
	must(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
}
