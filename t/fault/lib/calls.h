/* SPDX-License-Identifier: ISC */
/*
 * calls - the system calls of this program that reach a disk, counted and failed on request
 *
 * Functions of the program's own stand before those of the C library.  They count, and
 * at the chosen call fail with an errno, or do only a part of a read or write, or end the
 * process; once, or from then on for calls of that name.  Nothing is counted until
 * calls_arm().
 *
 * Owns: nothing.  One thread.
 */
#ifndef FAULT_CALLS_H
#define FAULT_CALLS_H

#include <stdbool.h>
#include <stdint.h>

enum call_name {
	CALL_OPENAT,
	CALL_PREAD,
	CALL_PWRITE,
	CALL_FSYNC,
	CALL_FDATASYNC,
	CALL_SYNCFS,
	CALL_LINKAT,
	CALL_RENAMEAT,
	CALL_UNLINKAT,
	CALL_MKDIRAT,
	CALL_FTRUNCATE,
	CALL_FLOCK,
	CALL_FSTAT,
	CALL_FACCESSAT,
	CALL_FSTATVFS,
	CALL_READDIR,
	CALL_FUTIMENS,
	CALL_NAMES,
};

enum call_fault {
	CALL_FAILS,    /* with `error`, and does nothing */
	CALL_DOES_ONE, /* octet of a read or write */
	CALL_DOES_HALF,
	CALL_DOES_NONE, /* of a write, and says 0 */
	CALL_EXITS,     /* the process ends in front of it */
	CALL_LIES,      /* a write does nothing and says that it did: a control */
};

struct calls_plan {
	uint64_t at; /* of which call, from 1; 0: none */
	enum call_fault fault;
	int error;
	bool forever;
};

const char *call_text(enum call_name name);
void calls_arm(const struct calls_plan *plan);
void calls_disarm(void);
uint64_t calls_counted(void);
enum call_name calls_name_of(uint64_t call);
bool calls_struck(void);
/* Making or growing a file is ENOSPC, counted or not. */
void calls_set_full(bool full);

#endif
