/* SPDX-License-Identifier: ISC */
/*
 * scrub - reads every message from the disk, slowly, and names what is damaged
 *
 * A disk loses what nobody reads, and says so only when somebody does.  A scrub reads the
 * head, the recipients and the body of every message file, oldest first, and compares their
 * checksums.  It reads the disk and not the cache, keeps to a rate, and leaves nothing
 * in the cache that was not there before.  It mends nothing: `popstore check --repair`
 * does, and a backup.
 *
 * It is a round (store/round.h): it may stop and go on.
 *
 * Tests: t/unit/store/scrub.c  t/box/test_check.py
 */
#ifndef SCRUB_H
#define SCRUB_H

#include "store/check.h"

/* `rate`: octets a second, 0 for no limit.  Of the options, `repair` and `quick` mean nothing.
 * out->accounts stays 0.  0 when it ran to the end or was stopped, whatever it found. */
int scrub_run(struct store *s, const struct check_options *o, uint64_t rate,
	      struct check_result *out, struct err *e);

#endif
