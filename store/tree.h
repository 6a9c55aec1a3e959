/* SPDX-License-Identifier: ISC */
/*
 * tree - every name in a hashed tree of directories, and who may change them
 *
 * The names of one directory on each level are in memory, in order, so a walk
 * costs little however many there are, and can go on where another one stopped.  A
 * pattern without wild cards is looked up and not searched for: `each` is called then
 * even if the tree has no such name.
 *
 * Rules that take more than one object ("an account or a forwarding, not both",
 * "its domain is there") hold because whoever makes or changes a name, or removes
 * a profile or a domain, does so under one lock for the whole store.  It is held
 * for a few reads and one durable write; by domain_delete() for a walk.  It comes
 * before all other locks.
 *
 * Tests: t/unit/store/tree.c  t/unit/store/account.c
 */
#ifndef TREE_H
#define TREE_H

#include "store/name.h"
#include "store/storage.h"

/* Where a walk is.  Borrowed for the call. */
struct tree_at {
	const char *place;     /* "58/1b/alice@example.org" */
	const char *component; /* the last part of it */
	unsigned share;        /* of TREE_WHOLE, done before it */
};

/* Two levels of directories and what is in them, in the order of their places as
 * text.  Directories whose names are not as wide as `widths` says are none of ours. */
struct tree_walk {
	struct storage *st;
	const char *tree;
	size_t widths[2];
	const char *after; /* the place that was the last one, or NULL: from the start */
	int (*each)(const struct tree_at *at, bool *more, void *ctx, struct err *e);
	/* A directory that cannot be read is passed by; NULL: it ends the walk. */
	void (*bad)(const struct err *why, void *ctx);
	void *ctx;
};

enum { TREE_WHOLE = 10000 };

/* `each` may set *more to false to stop; -1 ends with its error. */
int tree_walk(const struct tree_walk *w, struct err *e);

/* The same for every name that matches `pattern`; `bad` as there. */
int tree_each(struct storage *st, const char *tree, struct str pattern,
	      int (*each)(const struct name *name, bool *more, void *ctx, struct err *e),
	      void (*bad)(const struct err *why, void *ctx), void *ctx, struct err *e);

/* Every entry of the tree, for check: its path, and its name; NULL where it is no name, or
 * lies where its name does not belong.  A directory that cannot be read is told to `bad`, and
 * passed by. */
int tree_entries(struct storage *st, const char *tree,
		 int (*each)(const char *path, const struct name *name, void *ctx,
			     struct err *e),
		 void (*bad)(const struct err *why, void *ctx), void *ctx, struct err *e);

/* Waits for it.  storage_file_close() ends it, and so does the end of the process. */
int tree_lock(struct storage *root, struct storage_file **out, struct err *e) MUST_USE;

#endif
