/* SPDX-License-Identifier: ISC */
/*
 * tree - every name in a hashed tree of directories, and who may change them
 *
 * One directory is open at a time on each level, so the cost in memory does not
 * grow with the number of names.  A pattern without wild cards is looked up and
 * not searched for: `each` is called then even if the tree has no such name.
 *
 * Rules that take more than one object ("an account or a forwarding, not both",
 * "its domain is there") hold because whoever makes or changes a name, or removes
 * a profile or a domain, does so under one lock for the whole store.  It is held
 * for a few reads and one durable write; by domain_delete() for a walk.  It comes
 * before all other locks.
 *
 * Tests: t/unit/store/account.c
 */
#ifndef TREE_H
#define TREE_H

#include "store/name.h"
#include "store/storage.h"

/* `each` may set *more to false to stop; -1 ends with its error. */
int tree_each(struct storage *st, const char *tree, struct str pattern,
	      int (*each)(const struct name *name, bool *more, void *ctx, struct err *e),
	      void *ctx, struct err *e);

/* Waits for it.  storage_file_close() ends it, and so does the end of the process. */
int tree_lock(struct storage *root, struct storage_file **out, struct err *e) MUST_USE;

#endif
