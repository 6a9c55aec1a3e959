/* SPDX-License-Identifier: ISC */
/*
 * standing - which storages take mail, why not, and who is told (P3, P7)
 *
 *   full        nothing free; asked last, and takes mail again by itself
 *   read only   mounted so, or made so by the kernel; takes mail again by itself
 *   broken      answers with input/output errors; the same
 *   stopped     a sync failed, here or in another process: until popstored is restarted
 *
 * The root has a standing of its own, as without it no volume is of use.  Looking costs
 * a few system calls a second and storage, whatever the number of deliveries.
 *
 * A process that meets a failed sync writes <root>/stopped/<volume> for the others
 * (doc/STORE.md, section 15): not synced, since the disk may be what failed, but in the
 * cache, where every process on this machine sees it for as long as what was lost
 * may still look as if it were there.
 *
 * Logs:  storage.stopped, one line a storage and machine, by the process that met it: all
 *        programs would write the same (an exception to lib/log.h's rule).
 * Tests: t/unit/store/standing.c  t/fault/test_sync.py  t/fault/test_read_only.py
 */
#ifndef STANDING_H
#define STANDING_H

#include "store/storage.h"

struct store;

enum standing {
	STANDING_OK,
	STANDING_FULL,
	STANDING_READ_ONLY,
	STANDING_BROKEN,
	STANDING_STOPPED,
};

/* May mail be stored at all?  ERR_TEMP says which storage stands in the way. */
int store_takes_mail(struct store *s, struct err *e) MUST_USE;

/* Tells the other processes and the log of what stopped in this one.  To be called when
 * something failed; does nothing otherwise, and nothing the second time. */
void store_alarm(struct store *s);

/* The operator says that the disks are good again.  *n: how many had stopped. */
int store_resume(struct store *s, size_t *n, struct err *e);
/* Was there a failed sync of the root since popstored started?  Then nothing is believed for
 * being in the cache. */
int store_root_stopped(struct store *s, bool *stopped, struct err *e);

/* ---- for `popstore status` --------------------------------------------------- */

struct standing_report {
	char name[16];    /* "root", or the volume's number */
	const char *path; /* borrowed from the store */
	bool mail;        /* it takes what new messages put there; now */
	enum standing standing;
	const char *word;  /* "stopped"; static */
	char why[240];     /* of what is not OK, for people */
	uint64_t since_ms; /* STOPPED: 0 where nobody could write it down */
	struct storage_space space;
	uint64_t aside; /* of a volume: files in damaged/ */
};

size_t store_standings(const struct store *s);
/* Looks now. */
void store_standing(struct store *s, size_t i, struct standing_report *out);

#endif
