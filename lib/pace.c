/* SPDX-License-Identifier: ISC */
#include "lib/pace.h"

enum { US = 1000, SECOND_US = 1000000 };

void pace_begin(struct pace *p, uint64_t rate, uint64_t now_ms)
{
	*p = (struct pace){.rate = rate > PACE_RATE_MAX ? 0 : rate,
			   .paid_us = now_ms * US};
}

uint64_t pace_used(struct pace *p, uint64_t octets, uint64_t now_ms)
{
	uint64_t now_us = now_ms * US;

	must(octets <= UINT64_C(1) << 40);
	if (p->rate == 0)
		return 0;
	if (p->paid_us + PACE_CREDIT_MS * US < now_us)
		p->paid_us = now_us - PACE_CREDIT_MS * US;
	/* A microsecond is worth more than an octet at a high rate. */
	p->rest += octets * SECOND_US;
	p->paid_us += p->rest / p->rate;
	p->rest %= p->rate;
	return pace_wait_ms(p, now_ms);
}

uint64_t pace_wait_ms(const struct pace *p, uint64_t now_ms)
{
	uint64_t now_us = now_ms * US;

	return p->paid_us > now_us ? (p->paid_us - now_us + US - 1) / US : 0;
}
