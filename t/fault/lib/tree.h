/* SPDX-License-Identifier: ISC */
/*
 * tree - directories as a whole: copied and removed
 */
#ifndef FAULT_TREE_H
#define FAULT_TREE_H

/* `to` is not there before. */
void tree_copy_files(const char *from, const char *to);
void tree_remove_files(const char *path); /* gone already is fine */

#endif
