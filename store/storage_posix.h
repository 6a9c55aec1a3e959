/* SPDX-License-Identifier: ISC */
/*
 * storage_posix - the engine that keeps objects as files; what its parts share
 *
 *   storage_posix.c         the table; opening, free space, syncfs, whole objects
 *   storage_posix_dir.c     directories: making, syncing, listing
 *   storage_posix_temp.c    files that have no name yet; reading and writing octets
 *   storage_posix_draft.c   drafts
 *   storage_posix_file.c    open files and leases
 *   storage_posix_sweep.c   what was being written when its maker died
 *   storage_mount.c         one mount told from the next
 *   storage_ground.c        what is known of the file system
 *
 * All names are resolved below one directory descriptor, and no component is ever
 * followed as a symbolic link where this process made it.
 *
 * One fsync makes a new file and its name durable: the file is made without a
 * name (O_TMPFILE) in its final directory, filled, linked, and only then synced.
 * ext4, XFS and Btrfs commit the link with the inode, since both are part of the
 * transaction (or the log) that the fsync forces out; doc/STORE.md has the
 * argument and the proof.
 */
#ifndef STORAGE_POSIX_H
#define STORAGE_POSIX_H

#include "store/storage_engine.h"

#include <fcntl.h>
#include <limits.h>

enum {
	POSIX_DIR_MODE = 0700,
	POSIX_FILE_MODE = 0600,
	/* Not to wait for the other end of a FIFO that lies where a file should; a
	 * read from one is then an error like any other. */
	POSIX_READ_FLAGS = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
};

/* How the names of files begin that are being written. */
#define POSIX_HIDDEN ".new."

struct posix {
	struct storage base;
	int dir;
	uint64_t opened_ms;
	bool stamps; /* only this machine writes here, so that stat(2) knows all */
	dev_t device;
};

/* The directory below which all paths are resolved. */
static inline int posix_dir(const struct storage *st)
{
	return ((const struct posix *)st)->dir;
}

/* Fills st->mount, see storage_mount_identity(). */
void posix_mount(struct storage *st);
void posix_ground(struct storage *st, struct storage_ground *out);

/* ---- directories ---- */

/* The directory part of a path, "." when it has none. */
void posix_parent(const char *path, char out[PATH_MAX]);
int posix_sync_dir(struct storage *st, const char *path, struct err *e);
/* The directories above `path`, each synced into its parent if `durable`. */
int posix_make_dirs(struct storage *st, const char *path, bool durable, struct err *e);
int posix_make_dir(struct storage *st, const char *path, struct err *e);
int posix_remove_dir(struct storage *st, const char *path, struct err *e);
int posix_list(struct storage *st, const char *path, bool hidden,
	       struct storage_names **out, struct err *e);
const char *posix_names_next(struct storage_names *n);
int posix_names_end(struct storage_names *n, struct err *e);

/* ---- files that have no name yet ---- */

/* Both return a descriptor or -1.  A hidden file has a name that begins with a dot, as no
 * name of the store does: what a crash leaves of it is never listed, and no object has
 * it; it is locked, so that posix_sweep() knows whether its maker is alive.  The other
 * has none where the file system knows such files (temp is ""), or a hidden
 * one. */
int posix_hidden_open(struct storage *st, const char *dir, char temp[PATH_MAX],
		      struct err *e);
int posix_temp_open(struct storage *st, const char *dir, char temp[PATH_MAX],
		    struct err *e);
/* Gives such a file its name; 1 = it is taken. */
int posix_temp_link(struct storage *st, int fd, char *temp, const char *path,
		    struct err *e);
/* Makes it durable under its name.  `dir_too`: it was made elsewhere, or had a hidden
 * name before, as where nobody has shown that one sync will do. */
int posix_temp_sync(struct storage *st, int fd, const char *path, bool dir_too,
		    struct err *e);

int posix_sweep(struct storage *st, uint64_t before_ms, uint64_t *swept, struct err *e);

/* ---- octets; errno says why not ---- */

int posix_write_all(int fd, struct str bytes, uint64_t at);
/* Up to n octets; fewer only at the end of the file.  A read that stops short of it is
 * asked for the rest: it may have met a bad sector, and that must not look like the end.
 * Where the file is known to end at `size`, that costs no second call; 0: not known. */
int posix_read_some(int fd, uint64_t at, char *to, size_t n, uint64_t size, size_t *got);

/* ---- drafts, open files, leases: as in struct storage_engine ---- */

int posix_draft_begin(struct storage *st, const char *path, struct storage_draft **out,
		      struct err *e);
int posix_draft_write(struct storage_draft *d, uint64_t offset, struct str bytes,
		      struct err *e);
int posix_draft_read(struct storage_draft *d, uint64_t offset, char *to, size_t n,
		     size_t *got, struct err *e);
int posix_draft_commit(struct storage_draft *d, struct err *e);
void posix_draft_end(struct storage_draft *d);

int posix_file_open(struct storage *st, const char *path, enum storage_mode mode,
		    struct storage_file **out, bool *found, struct err *e);
void posix_file_close(struct storage_file *f);
int posix_file_fd(const struct storage_file *f);
int posix_file_size(struct storage_file *f, uint64_t *out, struct err *e);
int posix_file_read(struct storage_file *f, uint64_t offset, char *to, size_t n,
		    size_t *got, struct err *e);
int posix_file_write(struct storage_file *f, uint64_t offset, struct str bytes,
		     struct err *e);
int posix_file_cut(struct storage_file *f, uint64_t size, struct err *e);
int posix_file_sync(struct storage_file *f, struct err *e);
int posix_file_lock(struct storage_file *f, bool *gone, struct err *e);
void posix_uncache(struct storage *st, const char *path);

int posix_lease_take(struct storage *st, const char *path, struct storage_lease **out,
		     struct err *e);
void posix_lease_drop(struct storage_lease *l);
int posix_lease_set_time(struct storage_lease *l, uint64_t unix_ms, struct err *e);

#endif
