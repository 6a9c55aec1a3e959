/* SPDX-License-Identifier: ISC */
/*
 * storage - the only door between the store and a disk
 *
 * A storage is a tree of named objects: one for the root (accounts, domains,
 * ...), one for each volume (messages), one for the secrets.  Everything above
 * speaks in these few operations, so that another engine (RADOS), or one that
 * fails the n-th call for a test, takes the place of files without the store
 * knowing (store/storage_engine.h).  Paths are relative, made by store/name.h and
 * store/message.c, never from outside.
 *
 * Durability is asked for: a commit, and what is called with STORAGE_DURABLE, returns
 * only when the change survives a power cut; everything else is durable after the next
 * storage_sync() that returned 0.
 *
 * A sync that failed is never tried again as if it might succeed (P3).  The storage
 * remembers it, and until the process is restarted it takes nothing new and promises
 * nothing: put, rename, make_dir, drafts, opening to append, append, every sync and
 * STORAGE_DURABLE are ERR_TEMP, and nothing was done then.  Reading goes on, and so does
 * what only takes away: removing, cutting, an octet in place, leases.  None of
 * that is a promise, and the store does it over again where a crash undoes it
 * (a slot released, a file that nobody holds).
 *
 * Owns:    its root directory's descriptor.  storage_close() ends it.
 * Threads: a storage may be used by any number; a file or a draft has one owner.
 * Tests:   t/unit/store/storage.c
 */
#ifndef STORAGE_H
#define STORAGE_H

#include "lib/buf.h"
#include "lib/err.h"

#include <stdint.h>
#include <sys/types.h>

struct storage;

/* `place` is a directory that exists, or "scheme:..." for the engine with that scheme.
 * Opening creates nothing in it. */
int storage_open(const char *place, struct storage **out, struct err *e);
/* Makes the place itself, and nothing above it; one that is there is fine. */
int storage_make(const char *place, struct err *e);
/* The posix engine, whatever the directory is called. */
int storage_open_posix(const char *directory, struct storage **out, struct err *e);
void storage_close(struct storage **st);
const char *storage_name(const struct storage *st); /* for messages to people */
/* Names the mount in this boot, where the kernel can tell one mount from the
 * next (Linux 6.8): equal strings at two times prove that no power cut lay
 * between.  "" where that cannot be proved. */
const char *storage_mount_identity(const struct storage *st);
bool storage_failed(const struct storage *st); /* a sync failed, see above */
/* Which one, and why: the first that did; for messages to people, "" as long as none did. */
const char *storage_failure(const struct storage *st);

struct storage_space {
	uint64_t octets; /* that an unprivileged writer may still use */
	uint64_t
		objects; /* that may still be made; UINT64_MAX where nothing limits them */
	bool read_only;  /* mounted so */
};
int storage_space(struct storage *st, struct storage_space *out, struct err *e);

/* ---- whole small objects ---------------------------------------------------- */

enum { STORAGE_DURABLE = 1, STORAGE_EXCLUSIVE = 2 };

/* Appends the object to `out` (whose max bounds it); *found tells.  Below what is no
 * directory nothing can be told: that is an error, here and wherever something is looked
 * for. */
int storage_read(struct storage *st, const char *path, struct buf *out, bool *found,
		 struct err *e) MUST_USE;
/* Makes or replaces the object whole, atomically; parents are made as needed.
 * With STORAGE_EXCLUSIVE an existing one is left alone and *existed is set. */
int storage_put(struct storage *st, const char *path, struct str bytes, int flags,
		bool *existed, struct err *e) MUST_USE;
/* Gone already is success.  With STORAGE_DURABLE it stays gone. */
int storage_remove(struct storage *st, const char *path, int flags,
		   struct err *e) MUST_USE;
/* Moves an object or a whole directory; an existing `to` is refused (*existed). */
int storage_rename(struct storage *st, const char *from, const char *to, bool *existed,
		   struct err *e) MUST_USE;
/* Removes a directory and everything below it. */
int storage_remove_tree(struct storage *st, const char *path, struct err *e) MUST_USE;
/* Makes a directory and those above it, durably; one that is there is fine. */
int storage_make_dir(struct storage *st, const char *path, struct err *e) MUST_USE;
/* Removes a directory if it is empty; one that is not is left alone. */
int storage_remove_dir(struct storage *st, const char *path, struct err *e) MUST_USE;
int storage_exists(struct storage *st, const char *path, bool *found,
		   struct err *e) MUST_USE;

/* Up to `n` octets from an object's beginning, by as few calls as can be: there may be more
 * than what came.  For who knows by what is read whether it is all; others use storage_read().
 * An engine may bring nothing at all. */
int storage_fetch(struct storage *st, const char *path, char *to, size_t n, size_t *got,
		  bool *found, struct err *e) MUST_USE;

/*
 * What an object is known by while it stays as it is: whoever finds the same stamp at the
 * same path later, and not 0, may go on with what he read there after he had asked for the
 * first one.  0 when it cannot be told: where another machine may write without this one
 * noticing at once, and for an object so young that it could change with the same stamp.
 */
int storage_stamp(struct storage *st, const char *path, uint64_t *stamp, bool *found,
		  struct err *e) MUST_USE;

/* Has the cache forget what it holds of an object and the disk has, too: who reads it next
 * reads the disk.  Does what it can. */
void storage_uncache(struct storage *st, const char *path);

/* Names in a directory, in no order, without those that begin with a dot (files that
 * are being written); a missing directory is an empty one. */
struct storage_names;
int storage_list(struct storage *st, const char *path, struct storage_names **out,
		 struct err *e) MUST_USE;
const char *storage_names_next(struct storage_names *n); /* NULL at the end */
/* Frees; -1 when the end was not the end, but a directory that could not be read. */
int storage_names_end(struct storage_names **n, struct err *e) MUST_USE;

/* Removes all that somebody had begun to write before that Unix time, whose process is dead
 * now.  Looks at every directory. */
int storage_sweep(struct storage *st, uint64_t before_ms, uint64_t *swept,
		  struct err *e) MUST_USE;

/* ---- an object that is written in pieces: a message ------------------------ */

struct storage_draft;

/* Nothing is visible at `path` before the commit; a draft that is never committed leaves
 * nothing behind, also after a crash. */
int storage_draft_begin(struct storage *st, const char *path, struct storage_draft **out,
			struct err *e) MUST_USE;
int storage_draft_write(struct storage_draft *d, struct str bytes,
			struct err *e) MUST_USE;
int storage_draft_rewrite(struct storage_draft *d, uint64_t offset, struct str bytes,
			  struct err *e) MUST_USE;
/* What was written so far, up to n octets; *got < n only at its end. */
int storage_draft_read(struct storage_draft *d, uint64_t offset, char *to, size_t n,
		       size_t *got, struct err *e) MUST_USE;
/* Gives it its name (which must be free) and makes both durable, in one sync. */
int storage_draft_commit(struct storage_draft *d, struct err *e) MUST_USE;
void storage_draft_end(struct storage_draft **d); /* aborts, if not committed */

/* ---- an open object --------------------------------------------------------- */

struct storage_file;

enum storage_mode { STORAGE_READ, STORAGE_WRITE, STORAGE_APPEND /* made if missing */ };

int storage_file_open(struct storage *st, const char *path, enum storage_mode mode,
		      struct storage_file **out, bool *found, struct err *e) MUST_USE;
void storage_file_close(struct storage_file **f);
int storage_file_fd(const struct storage_file *f); /* for sendfile; -1: read instead */
int storage_file_size(struct storage_file *f, uint64_t *out, struct err *e) MUST_USE;
/* Reads up to n octets; *got < n only at the end of the object. */
int storage_file_read(struct storage_file *f, uint64_t offset, char *to, size_t n,
		      size_t *got, struct err *e) MUST_USE;
/* Writes `bytes` at the end, which must be at `at`: ERR_TEMP when somebody else
 * moved it.  All or nothing: what a failed append wrote is cut off again. */
int storage_file_append(struct storage_file *f, uint64_t at, struct str bytes,
			struct err *e) MUST_USE;
int storage_file_put_octet(struct storage_file *f, uint64_t offset, char octet,
			   struct err *e) MUST_USE;
int storage_file_cut(struct storage_file *f, uint64_t size, struct err *e) MUST_USE;
int storage_file_sync(struct storage_file *f, struct err *e) MUST_USE;
/* Waits for the short lock of this object.  Closing the file ends it.  *gone:
 * the object was replaced or removed meanwhile; open it again. */
int storage_file_lock(struct storage_file *f, bool *gone, struct err *e) MUST_USE;
/* Both, as often as that: *out is NULL where there is no such object (with STORAGE_APPEND: no
 * directory for it). */
int storage_file_open_locked(struct storage *st, const char *path, enum storage_mode mode,
			     struct storage_file **out, struct err *e) MUST_USE;

/* ---- leases ------------------------------------------------------------------ */

/* An exclusive claim on a path that dies with the process.  Does not wait:
 * *out is NULL when somebody else holds it.  The lease object's time of last
 * change is what the holder last set (0 when it was made just now). */
struct storage_lease;
int storage_lease_take(struct storage *st, const char *path, struct storage_lease **out,
		       struct err *e) MUST_USE;
void storage_lease_drop(struct storage_lease **l);
uint64_t storage_lease_time_ms(const struct storage_lease *l);
int storage_lease_set_time(struct storage_lease *l, uint64_t unix_ms,
			   struct err *e) MUST_USE;

/* ---- everything ---------------------------------------------------------------- */

/* Whatever was written before this call, by any process, is durable after it. */
int storage_sync(struct storage *st, struct err *e) MUST_USE;

#endif
