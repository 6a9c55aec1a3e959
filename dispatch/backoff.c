/* SPDX-License-Identifier: ISC */
#include "dispatch/backoff.h"

uint32_t backoff_next(struct backoff *b, uint64_t ran_ms)
{
	uint32_t wait = BACKOFF_FIRST_MS;

	if (ran_ms >= BACKOFF_STABLE_MS)
		b->failures = 0;
	for (uint32_t i = 0; i < b->failures && wait < BACKOFF_MAX_MS; i++)
		wait *= 2;
	b->failures++;
	return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}
