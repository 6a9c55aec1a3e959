/* SPDX-License-Identifier: ISC */
/*
 * sandbox - the ways in which a process gives up rights for good
 *
 * The mechanisms alone; who gives up what is a table (store/role.h).  They are called in
 * this order, before the first octet from the network is read and before there is a
 * second thread:
 *
 *   sandbox_bound()      capabilities that no program started from here can have again
 *   sandbox_become()     another user
 *   sandbox_keep()       all capabilities but these
 *   sandbox_hide()       no core file, no look into our memory
 *   sandbox_seal()       what is executed gains nothing (no_new_privs)
 *   sandbox_paths()      Landlock: which files, and no TCP
 *   sandbox_calls()      seccomp: which system calls
 *
 * A call that is refused says EPERM, so that a library that tries something goes on
 * without.  What no library of ours has a reason to try (another program, a debugger's
 * calls, mounts, kernel modules, bpf, io_uring, user namespaces) ends the process with
 * SIGSYS: whoever got so far shall not have the time to try the next thing.
 *
 * The kernel's Landlock has grown: files (Linux 5.13), truncation (6.2), TCP (6.7),
 * signals and abstract sockets (6.12).  What it has is used; the ABI number says which.
 *
 * Limits:  with the address sanitizer there is no seccomp: its run time needs calls that
 *          nothing else does.
 * Tests:   t/unit/lib/sandbox.c  t/box/test_privileges.py
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A set of capabilities, as capabilities(7) numbers them. */
#define SANDBOX_CAPABILITY(n) (UINT64_C(1) << (n))

/* Takes all capabilities but `keep` out of the bounding set; without the right to do so,
 * nothing. */
int sandbox_bound(uint64_t keep, struct err *e) MUST_USE;

/* For root.  `groups_of` names the user whose supplementary groups are taken; NULL: none.
 * -1, too, when there is a way back. */
int sandbox_become(uid_t uid, gid_t gid, const char *groups_of, struct err *e) MUST_USE;

/* Of the effective and permitted ones; nothing stays inheritable or ambient but what is
 * kept and was. */
int sandbox_keep(uint64_t keep, struct err *e) MUST_USE;

int sandbox_hide(struct err *e) MUST_USE;
int sandbox_seal(struct err *e) MUST_USE;

enum {
	SANDBOX_READ = 1,  /* files and directories */
	SANDBOX_WRITE = 2, /* ... and to change, make and remove them */
	SANDBOX_RUN = 4,   /* as programs; libraries are only read */
	SANDBOX_LIST = 8,  /* which names there are, in directories */
};

struct sandbox_grant {
	const char *path; /* one that is not there is granted to nobody */
	unsigned may;
};

struct sandbox_paths {
	const struct sandbox_grant *v;
	size_t n;
	bool connect; /* TCP connections may be made */
};

/* *abi is what the kernel has: 0 where it has nothing, and then nothing was done. */
int sandbox_paths(const struct sandbox_paths *p, unsigned *abi, struct err *e) MUST_USE;

/* Groups of system calls; memory, threads, time and open descriptors are always there. */
enum {
	SANDBOX_CALLS_SERVE = 1,    /* connections that others make */
	SANDBOX_CALLS_PAIR = 2,     /* pairs of sockets, to hand one end away */
	SANDBOX_CALLS_DATAGRAM = 4, /* to an address: syslogd */
	SANDBOX_CALLS_READ = 8,     /* files */
	SANDBOX_CALLS_WRITE = 16,   /* ... and to change, make and remove them */
	SANDBOX_CALLS_CONNECT =
		32,              /* connections of our own, with what finds an address */
	SANDBOX_CALLS_LOAD = 64, /* code from files: plug-ins */
};

/* False where this build cannot have them. */
bool sandbox_has_calls(void);
int sandbox_calls(unsigned groups, struct err *e) MUST_USE;

/* For who starts programs that may gain rights: none of what ends a process above, EPERM
 * here, for this process and all that it starts.  *done is false where the kernel allows
 * that only with no_new_privs. */
int sandbox_calls_of_descendants(bool *done, struct err *e) MUST_USE;

#endif
