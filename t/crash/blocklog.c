/* SPDX-License-Identifier: ISC */
/*
 * blocklog - a disk in memory that remembers every write and every flush
 *
 *   blocklog MOUNTPOINT OCTETS LOG       runs until it is unmounted
 *
 * Shows two files.  `disk` is for a loop device: what is written there is kept, and
 * goes to LOG in its order, flushes too.  What is written to `mark` goes to LOG only,
 * between the writes that came before and those that come after.
 *
 * LOG: records of a letter (W write, F flush, M mark), an offset and a length (8 octets
 * each, as this machine has them), and so many octets.  For t/crash/blocks.py.
 */
#define FUSE_USE_VERSION 31

#include "lib/base.h"

#include <errno.h>
#include <fuse3/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char *const names[] = {"/disk", "/mark"};

enum { DISK, MARK };

static char *disk;
static size_t octets;
static FILE *out;

static void note(char kind, uint64_t at, const char *p, uint64_t n)
{
	if (fputc(kind, out) == EOF || fwrite(&at, sizeof at, 1, out) != 1 ||
	    fwrite(&n, sizeof n, 1, out) != 1 || fwrite(p, 1, n, out) != n) {
		perror("blocklog");
		abort(); /* a log with a gap would prove nothing */
	}
}

static int which(const char *path)
{
	for (int i = 0; i < (int)countof(names); i++)
		if (strcmp(path, names[i]) == 0)
			return i;
	return -1;
}

static int get_attributes(const char *path, struct stat *st,
			  struct fuse_file_info *fi UNUSED)
{
	int file = which(path);

	*st = (struct stat){.st_nlink = 1};
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0700;
		return 0;
	}
	st->st_mode = S_IFREG | 0600;
	st->st_size = file == DISK ? (off_t)octets : 0;
	return file < 0 ? -ENOENT : 0;
}

static int open_file(const char *path, struct fuse_file_info *fi)
{
	fi->direct_io = 1; /* nothing between the loop device and the log */
	return which(path) < 0 ? -ENOENT : 0;
}

static int set_size(const char *path UNUSED, off_t size UNUSED,
		    struct fuse_file_info *fi UNUSED)
{
	return 0; /* a shell's `> mark` */
}

static size_t room(size_t n, off_t at)
{
	if ((size_t)at >= octets)
		return 0;
	return n < octets - (size_t)at ? n : octets - (size_t)at;
}

static int read_disk(const char *path, char *to, size_t n, off_t at,
		     struct fuse_file_info *fi UNUSED)
{
	if (which(path) != DISK)
		return 0;
	n = room(n, at);
	memcpy(to, disk + at, n);
	return (int)n;
}

static int write_file(const char *path, const char *from, size_t n, off_t at,
		      struct fuse_file_info *fi UNUSED)
{
	if (which(path) == MARK) {
		note('M', 0, from, n);
		return (int)n;
	}
	n = room(n, at);
	if (n == 0)
		return -ENOSPC;
	note('W', (uint64_t)at, from, n);
	memcpy(disk + at, from, n);
	return (int)n;
}

static int flush_disk(const char *path, int data_only UNUSED,
		      struct fuse_file_info *fi UNUSED)
{
	if (which(path) == DISK)
		note('F', 0, "", 0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct fuse_operations operations = {
		.getattr = get_attributes,
		.open = open_file,
		.truncate = set_size,
		.read = read_disk,
		.write = write_file,
		.fsync = flush_disk,
	};
	/* In the foreground, and in one thread, so that the log has one order. */
	char foreground[] = "-f", one_thread[] = "-s";
	char *arguments[] = {argv[0], foreground, one_thread, argv[1], NULL};

	if (argc != 4) {
		fputs("usage: blocklog MOUNTPOINT OCTETS LOG\n", stderr);
		return 64;
	}
	octets = strtoul(argv[2], NULL, 10);
	disk = mmap(NULL, octets, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	out = fopen(argv[3], "wxe");
	if (disk == MAP_FAILED || out == NULL) {
		perror("blocklog");
		return 71;
	}

	int rc = fuse_main((int)countof(arguments) - 1, arguments, &operations, NULL);

	if (fclose(out) != 0) {
		perror("blocklog");
		return 74;
	}
	return rc;
}
