/* SPDX-License-Identifier: ISC */
/*
 * storage_probe - does this place do what the store is built on?
 *
 * doc/STORE.md, section 14, has the assumptions.  What can be seen is tried: files of
 * our own, in a directory that begins with a dot and is removed again, through the
 * operations of store/storage.h, and with a second process where two are needed.  What
 * only a power cut would show is asked of the engine, which knows what it stands on.
 *
 * What is tried and does not hold is refused, always.  What is known to be bad, or not
 * known to be good, is refused unless the operator answers for it (`trusted`).  A
 * disk that is full, failing or read only is no reason to refuse: there is mail to read
 * on it.
 *
 * Cost:    some fifty system calls, a dozen of them syncs of small files; forks once.
 * Tests:   t/unit/store/storage_probe.c  t/crash/test_mount.py
 */
#ifndef STORAGE_PROBE_H
#define STORAGE_PROBE_H

#include "store/storage.h"

/* ERR_PERM names place, kind, what does not hold and what to do.  0 with *doubt filled:
 * it is used all the same, and the text says what is not certain. */
int storage_probe(struct storage *st, bool trusted, struct err *doubt,
		  struct err *e) MUST_USE;

#endif
