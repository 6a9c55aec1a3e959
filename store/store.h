/* SPDX-License-Identifier: ISC */
/*
 * store - one popstore, opened
 *
 *   <root>/popstore          record: what this is, format version, store id (mark.h)
 *   <root>/accounts/ab/cd/<name@domain>/{profile,maildrop,session}
 *   <root>/accounts/ab/cd/<name%2ffolder@domain>/...  a folder, beside its account
 *   <root>/domains/ab/cd/<domain>        record
 *   <root>/forwardings/ab/cd/<name@domain>  record
 *   <root>/writers/<n>       record: a writer's ids and checkpoint
 *   <root>/volumes/<number>  record: this number is taken, for which path
 *   <root>/secrets/ab/cd/<name@domain>   record, see auth/secret.h
 *   <volume>/volume          record: number of the volume, store id
 *   <volume>/messages/<yyyymmdd>/<hhmm>/<id>
 *
 * Opening is cheap and reads the two kinds of marks only: a disk that is not
 * mounted or belongs to another store is refused before anything is written to
 * the empty directory under it.  doc/STORE.md has every format to the octet.
 *
 * Owns:    storages, and for a writer the number and the checkpoint (writer.h).
 * Threads: any number, on one struct store.
 * Tests:   t/unit/store/store.c  t/unit/store/mark.c
 */
#ifndef STORE_H
#define STORE_H

#include "lib/err.h"
#include "lib/settings.h"

struct store;

/* Makes root, volumes and marks; on a store that is there, what is missing of trees, volumes
 * and marks; refuses (ERR_PERM) one that lacks nothing. */
int store_init(const struct settings *set, struct err *e);

/* `set` is borrowed and must outlive the store. */
int store_open(const struct settings *set, struct store **out, struct err *e);
void store_close(struct store **s); /* a writer's last checkpoint included */

/* Whether the file systems under root and volumes are fit for it, see
 * store/storage_probe.h: -1 and ERR_PERM where one is not.  `doubt` is called for each that
 * is used all the same, with what is not certain.  For programs that begin to serve;
 * store_init() does the same. */
int store_probe(struct store *s, void (*doubt)(const struct err *why), struct err *e);

const struct settings *store_settings(const struct store *s);
/* 64 bits by chance, which nobody outside knows who cannot read its files. */
uint64_t store_id(const struct store *s);
/* The root's tree, for auth/secret.c and the store's own modules; borrowed. */
struct storage;
struct storage *store_root(struct store *s);

/* The directories of the root that `init` makes; NULL at the end. */
extern const char *const store_trees[];
/* A record that is not there is none only as long as its tree ("accounts") is: -1, ERR_TEMP,
 * where that was lost. */
int store_has_tree(struct store *s, const char *tree, struct err *e);

/* Takes part in the checkpoint (doc/STORE.md, section 12): syncs what this process
 * delivered since the last one and writes down that recovery need not look at it
 * again.  Does nothing when nothing was delivered. */
int store_checkpoint(struct store *s, struct err *e);

struct store_recovery {
	uint64_t writers;  /* that had not ended cleanly */
	uint64_t messages; /* message files looked at */
	uint64_t added;    /* maildrop lines made again */
	uint64_t removed;  /* message files that no one was promised */
	uint64_t
		damaged; /* files that are no whole messages: in damaged/ now, or still in
	                      place if a maildrop has them */
	struct err damage; /* the last of them */
	uint64_t failed; /* messages that could not be brought home, and writers of which
	                      some may lie on a volume that is away; these writers stay
	                      as they are, for the next time */
	struct err why;  /* the last failure */
};

/* What a start after a crash does: brings every maildrop up to date from the
 * message files newer than their writer's checkpoint.  Safe at any time, also
 * while others deliver (their writers are alive and left alone). */
int store_recover(struct store *s, struct store_recovery *out, struct err *e);

#endif
