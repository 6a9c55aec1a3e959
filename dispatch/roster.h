/* SPDX-License-Identifier: ISC */
/*
 * roster - what popstored tells `popstore status`: <root>/services
 *
 * A record (doc/STORE.md, section 17) that is written over itself whenever something
 * changed, and never synced: it is of this moment.  popstored holds a lock on it as long as
 * it lives, so a record that nobody holds is of one that was killed.
 *
 * Nothing depends on it.  Where it cannot be written, on a disk that is full or read only,
 * popstored goes on without it.
 *
 * Owns:  a descriptor.  Ends: roster_close(), which removes the file.
 * Tests: t/box/test_status.py
 */
#ifndef ROSTER_H
#define ROSTER_H

#include "dispatch/supervisor.h"

struct roster;

/* Makes the file, which belongs to whom the directory belongs. */
int roster_open(const char *root, struct roster **out, struct err *e);
void roster_close(struct roster **r);
/* Cheap when nothing changed since the last time. */
int roster_write(struct roster *r, const struct supervisor *s, struct err *e);

#endif
