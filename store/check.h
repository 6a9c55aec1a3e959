/* SPDX-License-Identifier: ISC */
/*
 * check - proves the store sound, or says what is not
 *
 * Walks records, accounts, maildrops and message files and compares them with
 * doc/INVARIANTS.md.  With `repair` it mends what can be proved: maildrop lines
 * from message files (same UIDLs), slots from maildrops, files that nobody holds.
 * It never removes what it cannot prove dead.  One repair runs at a time.  Runs while the services run.
 *
 * Tests: t/unit/store/check.c  t/box/test_ctl.py
 */
#ifndef CHECK_H
#define CHECK_H

#include "lib/err.h"
#include "lib/str.h"

#include <stdint.h>

struct store;

struct check_finding {
	const char *invariant; /* "I7" */
	char what[400];        /* object and reason, for a person */
	bool repaired;
};

struct check_options {
	bool repair;
	bool quick; /* leave out the checksums of message bodies */
	void (*finding)(const struct check_finding *f, void *ctx);
	/* For a progress bar: accounts and messages done so far; may be NULL. */
	void (*progress)(uint64_t accounts, uint64_t messages, void *ctx);
	void *ctx;
};

struct check_result {
	uint64_t accounts, messages, octets, findings, repaired;
};

/* 0 when it ran to the end, whatever it found. */
int check_run(struct store *s, const struct check_options *o, struct check_result *out,
	      struct err *e);

#endif
