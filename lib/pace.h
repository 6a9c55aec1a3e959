/* SPDX-License-Identifier: ISC */
/*
 * pace - no more than so many octets a second
 *
 *   pace_begin(&p, rate, clock_ms());
 *   wait_ms = pace_used(&p, n, clock_ms());     then sleep that long
 *
 * What was used is paid for with time afterwards.  Time in which nothing was used is
 * credit for PACE_CREDIT_MS and no more, so that a pause is not followed by a rush.
 * The clock is the caller's: it may stand still or jump ahead, not go back.
 *
 * Tests: t/unit/lib/pace.c
 */
#ifndef PACE_H
#define PACE_H

#include "lib/base.h"

#include <stdint.h>

enum { PACE_CREDIT_MS = 100 };
/* What is more is no limit. */
#define PACE_RATE_MAX (UINT64_C(1) << 50)

struct pace {
	uint64_t rate;    /* octets a second; 0: no limit */
	uint64_t paid_us; /* when what was used is paid for, on the caller's clock */
	uint64_t rest;    /* of a microsecond, in octets times 1,000,000 */
};

void pace_begin(struct pace *p, uint64_t rate, uint64_t now_ms);
/* `octets` were used just now, at most 2^40: how long to wait before the next. */
uint64_t pace_used(struct pace *p, uint64_t octets, uint64_t now_ms);
/* The same wait, as it is now. */
uint64_t pace_wait_ms(const struct pace *p, uint64_t now_ms);

#endif
