/* SPDX-License-Identifier: ISC */
/*
 * unfit - a file system that does all that the one below it does, but for one thing
 *
 *   unfit WHAT SOURCE MOUNTPOINT      stays in the foreground until it is unmounted
 *
 * FUSE, low level: each inode is an O_PATH descriptor, as a file system that passes
 * everything through has it.  WHAT names what is broken (`breaks` below), or is "nothing".
 * These are the negative controls of store/storage_probe.c: t/crash/test_mount.py.
 */
#define FUSE_USE_VERSION 312

#include "lib/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum what {
	NOTHING,
	FLOCK,         /* every lock is granted */
	FLOCK_PROCESS, /* ... to another process */
	FOLD,          /* A is a */
	NOREPLACE,     /* RENAME_NOREPLACE is not known */
	KEEP,          /* what was replaced keeps a name somewhere */
	OCTET,         /* writing one octet takes its neighbours along */
	CUT,           /* a file never gets shorter */
	LINK,          /* there are no links */
	TIME,          /* the clock tells a file's time, nobody else */
	DIRSYNC,       /* directories cannot be synced */
	RMDIR,         /* removes what is in it, too */
	LONG,          /* no names longer than 143 octets */
};

static const char *const breaks[] = {
	/* clang-format off */
	[NOTHING] = "nothing",
	[FLOCK] = "flock",
	[FLOCK_PROCESS] = "flock-process",
	[FOLD] = "fold",
	[NOREPLACE] = "noreplace",
	[KEEP] = "keep",
	[OCTET] = "octet",
	[CUT] = "cut",
	[LINK] = "link",
	[TIME] = "time",
	[DIRSYNC] = "dirsync",
	[RMDIR] = "rmdir",
	[LONG] = "long",
	/* clang-format on */
};

static enum what broken;

/* ---- inodes ------------------------------------------------------------------- */

struct node {
	int fd; /* O_PATH */
	ino_t ino;
	uint64_t lookups;
	struct node *next;
};

static struct node root = {.lookups = 1}, *nodes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root : (struct node *)ino;
}

static int fd_of(fuse_ino_t ino)
{
	return node_of(ino)->fd;
}

struct proc {
	char s[40];
};

/* To open again what is open without rights. */
static struct proc proc_of(fuse_ino_t ino)
{
	struct proc p;

	snprintf(p.s, sizeof p.s, "/proc/self/fd/%d", fd_of(ino));
	return p;
}

/* remember - takes the descriptor over; one node for all names of a file */
static struct node *remember(int fd, ino_t ino)
{
	struct node *n;

	pthread_mutex_lock(&lock);
	for (n = nodes; n != NULL && n->ino != ino; n = n->next)
		;
	if (n != NULL) {
		close(fd);
	} else {
		n = xalloc(sizeof *n);
		*n = (struct node){.fd = fd, .ino = ino, .next = nodes};
		nodes = n;
	}
	n->lookups++;
	pthread_mutex_unlock(&lock);
	return n;
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct node *gone = node_of(ino), **at = &nodes;

	pthread_mutex_lock(&lock);
	gone->lookups -= count;
	while (*at != NULL && (*at != gone || gone->lookups > 0))
		at = &(*at)->next;
	if (*at != NULL) {
		*at = gone->next;
		close(gone->fd);
		xfree(&gone);
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_none(req);
}

/* ---- names -------------------------------------------------------------------------- */

struct called {
	char s[NAME_MAX + 1];
};

static struct called called(const char *name)
{
	struct called c;

	snprintf(c.s, sizeof c.s, "%s", name);
	for (char *p = c.s; broken == FOLD && *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 'a' - 'A');
	return c;
}

static int find(fuse_ino_t parent, const char *name, struct fuse_entry_param *out)
{
	struct called c = called(name);

	*out = (struct fuse_entry_param){0};
	if (broken == LONG && strlen(name) > 143)
		return ENAMETOOLONG;

	int fd = openat(fd_of(parent), c.s, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (fstatat(fd, "", &out->attr, AT_EMPTY_PATH) < 0) {
		close(fd);
		return EIO;
	}
	out->ino = (fuse_ino_t)remember(fd, out->attr.st_ino);
	return 0;
}

static void reply_entry(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	int error = find(parent, name, &entry);

	if (error != 0)
		fuse_reply_err(req, error);
	else
		fuse_reply_entry(req, &entry);
}

static void reply(fuse_req_t req, int rc)
{
	fuse_reply_err(req, rc < 0 ? errno : 0);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_entry(req, parent, name);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (mkdirat(fd_of(parent), called(name).s, mode) < 0)
		fuse_reply_err(req, errno);
	else
		reply_entry(req, parent, name);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply(req, unlinkat(fd_of(parent), called(name).s, 0));
}

/* empty - removes the files of a directory */
static void empty(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL)
		unlinkat(fd, de->d_name, 0);
	if (d != NULL)
		closedir(d);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (broken == RMDIR)
		empty(fd_of(parent), called(name).s);
	reply(req, unlinkat(fd_of(parent), called(name).s, AT_REMOVEDIR));
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	if (broken == LINK)
		fuse_reply_err(req, EPERM);
	else if (linkat(AT_FDCWD, proc_of(ino).s, fd_of(parent), called(name).s,
			AT_SYMLINK_FOLLOW) < 0)
		fuse_reply_err(req, errno);
	else
		reply_entry(req, parent, name);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
		      const char *to_name, unsigned flags)
{
	struct called old = called(name), new = called(to_name);
	static unsigned kept;
	char aside[32];

	snprintf(aside, sizeof aside, ".kept%u", kept++);
	if (broken == NOREPLACE && flags != 0)
		fuse_reply_err(req, EINVAL);
	else if (broken == KEEP && linkat(fd_of(to), new.s, fd_of(to), aside, 0) < 0 &&
		 errno != ENOENT)
		fuse_reply_err(req, errno);
	else
		reply(req, renameat2(fd_of(parent), old.s, fd_of(to), new.s, flags));
}

/* ---- attributes ---------------------------------------------------------------------- */

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi UNUSED)
{
	struct stat st;

	if (fstatat(fd_of(ino), "", &st, AT_EMPTY_PATH) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, 0);
}

static int set_times(fuse_ino_t ino, const struct stat *to, int what)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	if (what & FUSE_SET_ATTR_ATIME)
		t[0] = to->st_atim;
	if (what & FUSE_SET_ATTR_MTIME)
		t[1] = to->st_mtim;
	if (broken == TIME)
		t[1].tv_nsec = UTIME_NOW;
	return utimensat(AT_FDCWD, proc_of(ino).s, t, 0);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int what,
		       struct fuse_file_info *fi)
{
	int rc = 0;

	if ((what & FUSE_SET_ATTR_SIZE) && broken != CUT)
		rc = truncate(proc_of(ino).s, to->st_size);
	if (rc == 0 && (what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)))
		rc = set_times(ino, to, what);
	if (rc < 0)
		fuse_reply_err(req, errno);
	else
		op_getattr(req, ino, fi);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs v;

	if (fstatvfs(fd_of(ino), &v) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &v);
}

/* ---- files ---------------------------------------------------------------------------- */

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	struct fuse_entry_param entry;
	int fd = openat(fd_of(parent), called(name).s,
			(fi->flags & ~O_NOFOLLOW) | O_CREAT, mode);
	int error = fd < 0 ? errno : find(parent, name, &entry);

	fi->fh = (uint64_t)fd;
	if (error == 0) {
		fuse_reply_create(req, &entry, fi);
		return;
	}
	fuse_reply_err(req, error);
	if (fd >= 0)
		close(fd);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = open(proc_of(ino).s, fi->flags & ~O_NOFOLLOW);

	fi->fh = (uint64_t)fd;
	if (fd < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_open(req, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino UNUSED, struct fuse_file_info *fi)
{
	close((int)fi->fh);
	fuse_reply_err(req, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino UNUSED, size_t size, off_t at,
		    struct fuse_file_info *fi)
{
	char *to = xalloc(size);
	ssize_t n = pread((int)fi->fh, to, size, at);

	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, to, (size_t)n);
	xfree(&to);
}

static void op_write(fuse_req_t req, fuse_ino_t ino UNUSED, const char *p, size_t size,
		     off_t at, struct fuse_file_info *fi)
{
	ssize_t n = pwrite((int)fi->fh, p, size, at);

	if (broken == OCTET && n == 1 && at > 0 &&
	    pwrite((int)fi->fh, "", 1, at - 1) != 1)
		n = -1;
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino UNUSED, int data,
		     struct fuse_file_info *fi)
{
	reply(req, data ? fdatasync((int)fi->fh) : fsync((int)fi->fh));
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino UNUSED, int data UNUSED,
			struct fuse_file_info *fi)
{
	if (broken == DIRSYNC)
		fuse_reply_err(req, EINVAL);
	else
		reply(req, fsync((int)fi->fh));
}

static void op_flock(fuse_req_t req, fuse_ino_t ino UNUSED, struct fuse_file_info *fi,
		     int how)
{
	static _Atomic pid_t holder;
	pid_t asks = fuse_req_ctx(req)->pid;
	int rc = flock((int)fi->fh, how);
	bool granted = broken == FLOCK || (broken == FLOCK_PROCESS && asks != holder);

	if (rc < 0 && errno == EWOULDBLOCK && granted)
		rc = 0;
	if (rc == 0 && (how & LOCK_EX))
		holder = asks;
	reply(req, rc);
}

/* ---- directories ------------------------------------------------------------------------ */

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = openat(fd_of(ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fi->fh = (uint64_t)fd;
	if (fd < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_open(req, fi);
}

/* All of it from the start, up to `size` octets behind entry number `at`. */
static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
		       struct fuse_file_info *fi UNUSED)
{
	int fd = openat(fd_of(ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char *to = xalloc(size);
	size_t used = 0;
	struct dirent *de;

	for (off_t n = 1; d != NULL && (de = readdir(d)) != NULL; n++) {
		struct stat st = {.st_ino = de->d_ino,
				  .st_mode = (mode_t)de->d_type << 12};

		if (n <= at)
			continue;

		size_t need = fuse_add_direntry(req, to + used, size - used, de->d_name,
						&st, n);

		if (need > size - used)
			break;
		used += need;
	}
	if (d == NULL)
		fuse_reply_err(req, EIO);
	else
		fuse_reply_buf(req, to, used);
	if (d != NULL)
		closedir(d);
	xfree(&to);
}

/* ---- the program ------------------------------------------------------------------------ */

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.forget = op_forget,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.link = op_link,
	.create = op_create,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.release = op_release,
	.fsync = op_fsync,
	.flock = op_flock,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_release,
	.fsyncdir = op_fsyncdir,
	.statfs = op_statfs,
};

static bool choose(const char *name)
{
	for (size_t i = 0; i < countof(breaks); i++) {
		if (strcmp(breaks[i], name) != 0)
			continue;
		broken = (enum what)i;
		return true;
	}
	return false;
}

static int serve(const char *name, const char *mountpoint)
{
	char program[] = "unfit", option[] = "-o",
	     options[] = "fsname=unfit,subtype=unfit";
	char *argv[] = {program, option, options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *se = fuse_session_new(&args, &ops, sizeof ops, NULL);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int rc = 1;

	if (se != NULL && fuse_set_signal_handlers(se) == 0 &&
	    fuse_session_mount(se, mountpoint) == 0) {
		printf("unfit: %s\n", name); /* who waits for the mount reads this */
		fflush(stdout);
		rc = fuse_session_loop_mt(se, config);
		fuse_session_unmount(se);
	}
	fuse_loop_cfg_destroy(config);
	if (se != NULL) {
		fuse_remove_signal_handlers(se);
		fuse_session_destroy(se);
	}
	fuse_opt_free_args(&args);
	return rc;
}

int main(int argc, char **argv)
{
	umask(0);
	if (argc != 4 || !choose(argv[1])) {
		fprintf(stderr, "usage: unfit WHAT SOURCE MOUNTPOINT\n");
		return 64;
	}
	root.fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root.fd < 0 ? 66 : serve(argv[1], argv[3]) != 0;
}
