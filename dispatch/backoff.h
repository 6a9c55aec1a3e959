/* SPDX-License-Identifier: ISC */
/*
 * backoff - how long to wait before something that ended is started again
 *
 * The first restart comes at once to a human eye, each further one waits twice as
 * long, and whatever ran well for a while starts from the beginning.
 *
 * Limits: BACKOFF_MAX_MS, so that a repaired cause shows soon.
 * Tests:  t/unit/dispatch/backoff.c
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include "lib/base.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 30000, BACKOFF_STABLE_MS = 60000 };

struct backoff {
	uint32_t failures; /* in a row */
};

/* It ended after `ran_ms`: how many milliseconds to wait. */
uint32_t backoff_next(struct backoff *b, uint64_t ran_ms);

#endif
