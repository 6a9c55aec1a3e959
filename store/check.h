/* SPDX-License-Identifier: ISC */
/*
 * check - proves the store sound, or says what is not
 *
 * Walks records, accounts, maildrops and message files and compares them with
 * doc/INVARIANTS.md.  With `repair` it mends what can be proved: maildrop lines
 * from message files (same UIDLs), slots from maildrops, accounts from what is held
 * for them (store/account_mend.h), files that nobody holds.
 * It never removes what it cannot prove dead.  With the rest it sweeps what processes were
 * writing when they died, which is no finding: nobody ever sees it.  One repair runs at a
 * time.  Runs while the services run.
 *
 * It may be stopped, or die, and go on later where it was (store/round.h).
 *
 * Limits:  64 MB of memory and the largest maildrop, however large the store is
 *          (store/seen.h).
 * Tests:   t/unit/store/check.c  t/unit/store/check_lost.c  t/unit/store/check_names.c
 *          t/box/test_check.py  t/crash/test_check_large.py
 */
#ifndef CHECK_H
#define CHECK_H

#include "lib/err.h"
#include "lib/str.h"

#include <stdint.h>

struct store;
struct round_state;

struct check_finding {
	const char *invariant; /* "I7" */
	char what[400];        /* object and reason, for a person */
	bool repaired;
};

struct check_options {
	bool repair;
	/* With repair: lets go of what is held for accounts that are not there, instead of
	 * making them again.  The operator says that they were deleted. */
	bool release_unowned;
	bool quick;      /* leave out the checksums of message bodies */
	bool keep_place; /* write down where it is, so that it can be resumed */
	bool resume;     /* go on where such a one stopped */
	/* All may be NULL. */
	void (*finding)(const struct check_finding *f, void *ctx);
	void (*note)(const char *text,
		     void *ctx); /* what a person should know about it */
	void (*progress)(const struct round_state *now, void *ctx); /* after a step */
	bool (*stop)(void *ctx); /* asked after every account and message */
	void *ctx;
};

/* Of the whole check, also when it was resumed. */
struct check_result {
	uint64_t accounts, messages, octets, findings, repaired;
	bool stopped;   /* by `stop`: there is more to do */
	bool resumable; /* and its place is written down */
};

/* 0 when it ran to the end or was stopped, whatever it found. */
int check_run(struct store *s, const struct check_options *o, struct check_result *out,
	      struct err *e);

#endif
