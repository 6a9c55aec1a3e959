/* SPDX-License-Identifier: ISC */
/*
 * storage_engine - what an engine of the storage layer has to do
 *
 * store/storage.h is the same for all; store/storage.c is what they have in common
 * (who may still write after a failed sync, appends that are all or nothing, whole
 * trees) and calls the engine for the rest, through this table.  An engine's own
 * structs begin with the ones here.
 *
 * An operation does what storage.h says of the function of the same name.  It need
 * not ask whether a sync has failed, and reports one with storage_sync_failed().
 *
 * Engines: store/storage_posix.h
 */
#ifndef STORAGE_ENGINE_H
#define STORAGE_ENGINE_H

#include "store/storage.h"

#include <stdatomic.h>

struct storage {
	const struct storage_engine *engine;
	char *name;     /* for messages to people */
	char mount[64]; /* storage_mount_identity() */
	/* The first sync that fails sets `failing`, says why, and lets everybody know. */
	atomic_bool failing, failed;
	struct err failure;
};

struct storage_names {
	struct storage *st;
};

struct storage_draft {
	struct storage *st;
	const char *path; /* lives as long as the draft */
	uint64_t at;      /* octets written so far */
};

struct storage_file {
	struct storage *st;
	const char *path; /* for messages to people; lives as long as the file */
};

struct storage_lease {
	struct storage *st;
	uint64_t time_ms;
};

/* What an engine knows of the ground it stands on, see store/storage_probe.h.  The texts
 * are what follows "/srv/store is on ext4, ". */
struct storage_ground {
	char kind[32];     /* "ext4" */
	char broken[160];  /* not to be used at all; "" = nothing known */
	char doubted[160]; /* not to be used unless the operator says so */
	char unsure[160];  /* used, and said */
};

struct storage_engine {
	/* Before the colon of a place that storage_open() is given. */
	const char *scheme;
	/* Makes the place itself; one that is there is fine. */
	int (*make)(const char *place, struct err *e);
	/* Fills *out, name and mount included; storage.c sets the engine. */
	int (*open)(const char *place, struct storage **out, struct err *e);
	void (*close)(struct storage *st);
	int (*space)(struct storage *st, struct storage_space *out, struct err *e);
	int (*sync)(struct storage *st, struct err *e);
	/* After something was written there. */
	void (*ground)(struct storage *st, struct storage_ground *out);

	/* ---- whole objects, directories ---- */
	int (*read)(struct storage *st, const char *path, struct buf *out, bool *found,
		    struct err *e);
	int (*put)(struct storage *st, const char *path, struct str bytes, int flags,
		   bool *existed, struct err *e);
	/* A directory is refused with e->sys EISDIR or EPERM. */
	int (*remove)(struct storage *st, const char *path, int flags, struct err *e);
	int (*rename)(struct storage *st, const char *from, const char *to, bool *existed,
		      struct err *e);
	int (*exists)(struct storage *st, const char *path, bool *found, struct err *e);
	/* NULL: all stamps are 0. */
	int (*stamp)(struct storage *st, const char *path, uint64_t *stamp, bool *found,
		     struct err *e);
	/* NULL: it brings nothing. */
	int (*fetch)(struct storage *st, const char *path, char *to, size_t n,
		     size_t *got, bool *found, struct err *e);
	int (*make_dir)(struct storage *st, const char *path, struct err *e);
	int (*remove_dir)(struct storage *st, const char *path, struct err *e);
	/* `hidden`: names that begin with a dot, too. */
	int (*list)(struct storage *st, const char *path, bool hidden,
		    struct storage_names **out, struct err *e);
	const char *(*names_next)(struct storage_names *n);
	int (*names_end)(struct storage_names *n, struct err *e);

	/* NULL: there is no cache. */
	void (*uncache)(struct storage *st, const char *path);
	/* NULL: nothing is ever left. */
	int (*sweep)(struct storage *st, uint64_t before_ms, uint64_t *swept,
		     struct err *e);

	/* ---- drafts ---- */
	int (*draft_begin)(struct storage *st, const char *path,
			   struct storage_draft **out, struct err *e);
	int (*draft_write)(struct storage_draft *d, uint64_t offset, struct str bytes,
			   struct err *e);
	int (*draft_read)(struct storage_draft *d, uint64_t offset, char *to, size_t n,
			  size_t *got, struct err *e);
	int (*draft_commit)(struct storage_draft *d, struct err *e);
	void (*draft_end)(struct storage_draft *d);

	/* ---- open objects ---- */
	int (*file_open)(struct storage *st, const char *path, enum storage_mode mode,
			 struct storage_file **out, bool *found, struct err *e);
	void (*file_close)(struct storage_file *f);
	int (*file_fd)(const struct storage_file *f);
	int (*file_size)(struct storage_file *f, uint64_t *out, struct err *e);
	int (*file_read)(struct storage_file *f, uint64_t offset, char *to, size_t n,
			 size_t *got, struct err *e);
	/* When it fails, a first part of `bytes` may be there. */
	int (*file_write)(struct storage_file *f, uint64_t offset, struct str bytes,
			  struct err *e);
	int (*file_cut)(struct storage_file *f, uint64_t size, struct err *e);
	int (*file_sync)(struct storage_file *f, struct err *e);
	int (*file_lock)(struct storage_file *f, bool *gone, struct err *e);

	/* ---- leases ---- */
	int (*lease_take)(struct storage *st, const char *path,
			  struct storage_lease **out, struct err *e);
	void (*lease_drop)(struct storage_lease *l);
	int (*lease_set_time)(struct storage_lease *l, uint64_t unix_ms, struct err *e);
};

extern const struct storage_engine storage_posix;

/* Adds an engine to those that storage_open() knows.  Before the first open; for
 * programs that bring one of their own. */
void storage_add_engine(const struct storage_engine *engine);

/* For an engine whose sync failed, with errno set: what was written may be lost although
 * the next sync will say otherwise (P3).  Takes note of it, and returns -1. */
int storage_sync_failed(struct storage *st, const char *path, struct err *e);

#endif
