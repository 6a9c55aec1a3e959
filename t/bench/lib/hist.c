/* SPDX-License-Identifier: ISC */
#include "t/bench/lib/hist.h"

/* shift_of - how many low bits of the value do not count */
static unsigned shift_of(uint64_t value)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);

	return bits > HIST_BITS + 1 ? bits - HIST_BITS - 1 : 0;
}

static unsigned bucket_of(uint64_t value)
{
	unsigned shift = shift_of(value);

	return (shift << HIST_BITS) + (unsigned)(value >> shift);
}

/* highest_in - the largest value that bucket_of() puts there */
static uint64_t highest_in(unsigned bucket)
{
	unsigned high = bucket >> HIST_BITS;
	unsigned shift = high > 0 ? high - 1 : 0;

	return (((uint64_t)bucket - (shift << HIST_BITS) + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t value)
{
	h->n++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	h->bucket[bucket_of(value)]++;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	to->n += from->n;
	to->sum += from->sum;
	if (from->max > to->max)
		to->max = from->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

uint64_t hist_at(const struct hist *h, double part)
{
	uint64_t seen = 0, wanted = (uint64_t)((double)h->n * part + 0.999999);

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= wanted && seen > 0)
			return highest_in(i) < h->max ? highest_in(i) : h->max;
	}
	return 0;
}
