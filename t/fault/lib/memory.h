/* SPDX-License-Identifier: ISC */
/*
 * memory - an engine of the storage layer that keeps a store in memory and fails on request
 *
 * storage_open("memory:root") opens the disk of that name.  All disks together are the
 * machine: it counts every call to a disk, and at the chosen one it
 *
 *   fails         with an errno, before it did anything, after it did its work, or (a write)
 *                 after half of it; once, or from then on (all calls, or those of its class)
 *   stops         nothing after it reaches a disk any more: what the process still does is
 *                 not there, as if it had been killed
 *
 * and memory_power_cut() leaves of the disks what disk.h permits.  An operation of the
 * store takes the same steps here as with the posix engine (a put is a hidden file,
 * its sync, a rename, a sync of the directory), so a call is about a system call.
 * The difference that matters: there is no descriptor (storage_file_fd() is -1), so the ways
 * without sendfile are taken.
 *
 * It can also lie, as a broken disk or a broken program would: the controls of the rigs.
 *
 * Owns:  the machine; memory_fini() ends it.  One thread.
 * Tests: t/fault/engine.c
 */
#ifndef FAULT_MEMORY_H
#define FAULT_MEMORY_H

#include "store/storage_engine.h"
#include "t/fault/lib/disk.h"

extern const struct storage_engine storage_memory;

/* What a call does to a disk. */
enum memory_class {
	MEMORY_LOOK, /* opens, reads, lists */
	MEMORY_ADD,  /* takes space: makes, links, renames, writes */
	MEMORY_TAKE, /* removes, cuts, overwrites an octet */
	MEMORY_SYNC,
	MEMORY_CLASSES,
};

enum memory_how { MEMORY_BEFORE, MEMORY_AFTER, MEMORY_HALF, MEMORY_STOP };
enum memory_long { MEMORY_ONCE, MEMORY_CLASS_FOREVER, MEMORY_ALL_FOREVER };

struct memory_fault {
	uint64_t at; /* of which call, from 1; 0: none */
	enum memory_how how;
	enum memory_long how_long;
	int error;
};

/* Forgets what was counted, and fails as it says from now on. */
void memory_set_fault(const struct memory_fault *f);
uint64_t memory_calls(void);                      /* since then */
enum memory_class memory_class_of(uint64_t call); /* of those */
bool memory_struck(void);                         /* the fault has happened */
/* From now on nothing reaches a disk: the process was killed here. */
void memory_stop(void);
/* Growing a file or making one is ENOSPC, until it is false again. */
void memory_set_full(bool full);

enum memory_lie {
	MEMORY_HONEST,
	MEMORY_NO_COMMIT_SYNC, /* of a message: answered, not done */
	MEMORY_NO_DIR_SYNC,    /* of directories: answered, not done */
	MEMORY_LATE_SYNC, /* of a maildrop: done only after an octet in place elsewhere */
	MEMORY_NO_APPEND, /* answered, not done */
};
void memory_set_lie(enum memory_lie lie);

/* ---- the machine ---- */

/* What storage_open("memory:root") opens, for who does something behind its back. */
struct disk *memory_disk(const char *name);

/* What the disks hold, and in which boot; a copy for later. */
struct memory_state;
struct memory_state *memory_save(void);
void memory_load(const struct memory_state *s);
void memory_state_free(struct memory_state **s);

/* The process has ended and another begins: no fault, no stop. */
void memory_restart(void);
/* The same after a power cut: another boot too. */
void memory_power_cut(disk_pick_fn *pick, void *ctx);

/* Open storages, files, drafts, listings and leases: 0 when the store is closed. */
unsigned memory_open_objects(void);
void memory_fini(void);

#endif
