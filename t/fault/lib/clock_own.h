/* SPDX-License-Identifier: ISC */
/*
 * clock_own - the functions of clock.h; include it once, in the program that wants them
 *
 * They are not in the archive, since a clock_gettime() there would be every rig's.
 */
#ifndef FAULT_CLOCK_OWN_H
#define FAULT_CLOCK_OWN_H

#include "t/fault/lib/clock.h"

#include <time.h>

static uint64_t now_ms = CLOCK_START_MS;

void clock_turn(uint64_t unix_ms)
{
	now_ms = unix_ms;
}

uint64_t clock_now(void)
{
	return now_ms;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	(void)clock;
	now_ms++;
	t->tv_sec = (time_t)(now_ms / 1000);
	t->tv_nsec = (long)(now_ms % 1000) * 1000000;
	return 0;
}

#endif
