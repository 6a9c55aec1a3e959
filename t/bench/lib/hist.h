/* SPDX-License-Identifier: ISC */
/*
 * hist - how long things took: counts in buckets, each 1/64 of its value wide
 *
 * The idea of HdrHistogram: adding costs a few instructions and no memory, whatever the
 * range, and a percentile is right to 1.6 %.  Several are summed by hist_merge().
 *
 * Owns: nothing; a struct of its own.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

enum { HIST_BITS = 6, HIST_BUCKETS = (64 - HIST_BITS + 1) << HIST_BITS };

struct hist {
	uint64_t n, sum, max;
	uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *to, const struct hist *from);
/* The value that `part` (0 to 1) of all do not pass; 0 where there is none. */
uint64_t hist_at(const struct hist *h, double part);

#endif
