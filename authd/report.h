/* SPDX-License-Identifier: ISC */
/*
 * report - what `popstore status` says of logins: <root>/authd/logins, a record
 *
 *   popstore-authd 1
 *   refused-minute 3
 *   refused-hour 120
 *   entries 17                 networks and users with failures
 *   cache-hits 1000
 *   cache-misses 30
 *   worst 192.0.2.0/24 12      failures that are not forgiven; the worst first
 *   sum 9a0364b9e99bb480
 *
 * Written when it changes, not durably, and removed at the end: nothing depends on it.
 *
 * Threads: one.
 * Tests:   t/box/test_authd.py
 */
#ifndef REPORT_H
#define REPORT_H

#include "authd/judge.h"

enum { REPORT_TICK_MS = 5000 };

struct report {
	struct judge *judge;
	struct buf last;
	bool failed; /* and said so */
};

void report_init(struct report *r, struct judge *j);
void report_fini(struct report *r);
void report_write(struct report *r);

#endif
