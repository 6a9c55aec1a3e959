/* SPDX-License-Identifier: ISC */
/*
 * clock - the program's own time, so that every run makes the same calls
 *
 * A clock_gettime() of the program's own stands before that of the C library: both
 * clocks are one, and go on by a millisecond each time somebody looks.
 */
#ifndef FAULT_CLOCK_H
#define FAULT_CLOCK_H

#include <stdint.h>

#define CLOCK_START_MS UINT64_C(1800000000000) /* 2027-01-15, at a full minute */

void clock_turn(uint64_t unix_ms);
uint64_t clock_now(void); /* without going on */

#endif
