/* SPDX-License-Identifier: ISC */
/*
 * timers - moments to come, the earliest first
 *
 * A binary heap of what others own: a timer is embedded in the object that has it, and is
 * in the heap or not.  Setting, moving and removing one takes time as the logarithm of how
 * many there are, finding the first none.
 *
 * Owns:    its array, which grows; no timer.
 * Threads: the caller's lock.
 * Tests:   t/unit/lib/timers.c
 */
#ifndef TIMERS_H
#define TIMERS_H

#include "lib/base.h"

struct timer {
	uint64_t at_ms;
	size_t place; /* private: 0 is "not set" */
};

struct timers {
	struct timer **heap; /* from 1 on */
	size_t n, cap;
};

void timers_fini(struct timers *t);

/* Also moves one that is set. */
void timers_set(struct timers *t, struct timer *x, uint64_t at_ms);
void timers_unset(struct timers *t, struct timer *x); /* nothing if it is not set */

/* NULL: there is none. */
struct timer *timers_first(const struct timers *t);

static inline bool timer_is_set(const struct timer *x)
{
	return x->place != 0;
}

#endif
