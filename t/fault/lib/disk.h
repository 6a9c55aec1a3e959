/* SPDX-License-Identifier: ISC */
/*
 * disk - a tree of files in memory that knows what a power cut may leave of it
 *
 * There are two trees with the same nodes: `now`, what every process sees, and what is
 * durable; and between them, in their order, the changes that no sync has made durable
 * yet.  A sync moves the changes that it covers:
 *
 *   of a file       its octets and its size, the name it was given, and the names of
 *                   the directories above (doc/STORE.md, section 13.13)
 *   of a directory  the names in it, and no others
 *   of everything   everything
 *
 * A power cut leaves the durable tree and any choice of the other changes: a name that was
 * given, taken or moved, an octet overwritten in place, each there or not, whatever came
 * before or after it; the changes of one file's size in their order, up to any octet, with
 * zeros where a block of what it grew by was not written.  (The first write to a new
 * file, of no more than a block, is there or not.)  That is what doc/STORE.md, section
 * 14, assumes of a file system, and not more.
 *
 * What a failed sync covered is lost for later syncs: they succeed, and it may never
 * reach the disk (P3).
 *
 * Owns:  both trees.  Ends: disk_free().
 * Tests: t/fault/engine.c has the controls
 */
#ifndef FAULT_DISK_H
#define FAULT_DISK_H

#include "lib/str.h"

struct disk;

enum { DISK_ROOT = 0, DISK_NOBODY = -1 };

struct disk *disk_new(void);
struct disk *disk_copy(const struct disk *d);
void disk_free(struct disk **d);

/* ---- what there is now; a node is a number ---- */

/* Below the root; DISK_NOBODY, with errno ENOENT or ENOTDIR. */
int disk_find(const struct disk *d, const char *path);
/* The directory of a path and its last component, which need not be there. */
int disk_find_parent(const struct disk *d, const char *path, const char **leaf);
int disk_in(const struct disk *d, int dir, const char *name);
bool disk_is_dir(const struct disk *d, int node);
bool disk_has_name(const struct disk *d, int node);
struct str disk_octets(const struct disk *d, int node); /* borrowed until a change */
size_t disk_entries(const struct disk *d, int dir);
const char *disk_entry(const struct disk *d, int dir, size_t i); /* lives for ever */
uint64_t disk_time(const struct disk *d, int node);

/* ---- changes ---- */

int disk_make(struct disk *d, bool dir); /* a node without a name */
void disk_link(struct disk *d, int dir, const char *name, int node);
void disk_unlink(struct disk *d, int dir, const char *name);
/* Replaces what has that name. */
void disk_rename(struct disk *d, int dir, const char *name, int to_dir,
		 const char *to_name);
void disk_write(struct disk *d, int node, uint64_t offset, struct str bytes);
void disk_cut(struct disk *d, int node, uint64_t size);
void disk_set_time(struct disk *d, int node, uint64_t ms); /* no change: no promise */

/* ---- syncs ---- */

/* Of a file or directory; of everything with DISK_NOBODY. */
void disk_sync(struct disk *d, int node);
/* The same, when it failed. */
void disk_lose(struct disk *d, int node);

/* ---- power cuts ---- */

/*
 * Chooses among `radix` outcomes, 0 is "nothing of it", radix - 1 "all of it".  Asked in the
 * same order and with the same radices for the same disk.
 */
typedef unsigned disk_pick_fn(unsigned radix, void *ctx);

/* What is there after a power cut; nothing in it waits for a sync. */
struct disk *disk_after_cut(const struct disk *d, disk_pick_fn *pick, void *ctx);

#endif
