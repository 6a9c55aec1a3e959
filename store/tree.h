/* SPDX-License-Identifier: ISC */
/*
 * tree - every name in a hashed tree of directories
 *
 * One directory is open at a time on each level, so the cost in memory does not
 * grow with the number of names.  A pattern without wild cards is looked up and
 * not searched for.
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

#endif
