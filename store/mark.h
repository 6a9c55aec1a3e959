/* SPDX-License-Identifier: ISC */
/*
 * mark - what a directory says about itself: the root of this store, volume 3 of it
 *
 * Each mark is two files with the same record, so that one octet that a disk loses does not
 * keep a whole store from starting:
 *
 *   first    copy
 *   whole    whole, the same      what they say
 *   whole    whole, another       refused: marks of two directories were exchanged, and
 *                                 nobody but a person can tell which file is right
 *   whole    damaged or missing   what the whole one says; check --repair writes the other,
 *                                 and so does init where it is missing (before there were
 *                                 copies, a store was made without)
 *   damaged  damaged or missing   refused
 *   missing  missing              no mark: an empty directory under a disk that is not
 *                                 mounted, or what is no store yet
 *
 * A file that cannot be read counts as damaged.  One that a later program wrote
 * is refused, whatever the other one says.
 *
 * Tests: t/unit/store/mark.c
 */
#ifndef MARK_H
#define MARK_H

#include "store/storage.h"

enum mark_of { MARK_OF_ROOT, MARK_OF_VOLUME };

struct mark_file {
	const char *path;
	bool missing, whole;       /* neither: damaged */
	uint64_t store_id, number; /* of a whole one */
	struct err why;            /* of one that is not whole */
};

struct mark {
	bool found;
	uint64_t store_id;
	uint64_t number; /* of a volume; 0 for the root */
	struct mark_file file[2];
};

/* -1 where it cannot be told what it says. */
int mark_read(struct storage *st, enum mark_of of, struct mark *out, struct err *e);
/* Makes those of the two files that were missing when `m` was read, durably, the first one
 * last, and counts them.  ERR_PERM when somebody else made one since. */
int mark_complete(struct storage *st, enum mark_of of, const struct mark *m,
		  unsigned *made, struct err *e);
/* Writes one of the two files anew, from what the other one says. */
int mark_mend(struct storage *st, enum mark_of of, const struct mark *m,
	      const struct mark_file *bad, struct err *e);

/* The root's mark as long as init has not made everything else: one file, read and
 * made like those above. */
int mark_read_begun(struct storage *root, struct mark *out, struct err *e);
int mark_begin(struct storage *root, uint64_t store_id, struct err *e);
int mark_end_begun(struct storage *root, struct err *e);

#endif
