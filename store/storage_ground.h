/* SPDX-License-Identifier: ISC */
/*
 * storage_ground - what is known of the file system under the posix engine
 *
 * Whether a file that was synced survives a power cut cannot be tried at a start.  What
 * the file system is, and how it is mounted, is in /proc: ext4, XFS and Btrfs are argued
 * in doc/STORE.md and were tried with power cuts, in their default modes; the rest is in
 * doubt.
 *
 * Nothing here does more than look, and none of it needs a privilege.
 *
 * Tests: t/unit/store/storage_ground.c  t/crash/test_mount.py
 */
#ifndef STORAGE_GROUND_H
#define STORAGE_GROUND_H

#include "store/storage_engine.h"

/* A line of /proc/self/mountinfo; borrowed from its text. */
struct mount_line {
	uint64_t id;
	struct str device; /* "253:0" */
	struct str point;  /* where it is mounted, escaped as there */
	struct str kind, options;
};

struct mount_facts {
	struct mount_line mount;
	struct str ext4_options; /* /proc/fs/ext4/<device>/options, "" if not readable */
	struct str ext4_fc_info; /* and fc_info, which says if fast commits were made */
};

/* The next well-formed line; false at the end. */
bool mount_line_next(struct str *rest, struct mount_line *out);
/* It is mounted on, or below, a tree of the store that has `dir` as its root. */
bool mount_is_within(const struct mount_line *m, const char *dir);
/* Fills kind, and doubted or unsure. */
void mount_judge(const struct mount_facts *f, struct storage_ground *out);

#endif
