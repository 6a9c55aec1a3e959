/* SPDX-License-Identifier: ISC */
#include "lib/timers.h"

void timers_fini(struct timers *t)
{
	xfree(&t->heap);
	*t = (struct timers){0};
}

static void put(struct timers *t, size_t place, struct timer *x)
{
	t->heap[place] = x;
	x->place = place;
}

static void rise(struct timers *t, struct timer *x)
{
	size_t place = x->place;

	for (; place > 1 && t->heap[place / 2]->at_ms > x->at_ms; place /= 2)
		put(t, place, t->heap[place / 2]);
	put(t, place, x);
}

static void sink(struct timers *t, struct timer *x)
{
	size_t place = x->place;

	for (;;) {
		size_t child = 2 * place;

		if (child < t->n && t->heap[child + 1]->at_ms < t->heap[child]->at_ms)
			child++;
		if (child > t->n || t->heap[child]->at_ms >= x->at_ms)
			break;
		put(t, place, t->heap[child]);
		place = child;
	}
	put(t, place, x);
}

static void add(struct timers *t, struct timer *x)
{
	if (t->n + 1 >= t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 16;

		t->heap = xgrow(t->heap, t->cap * sizeof(struct timer *),
				cap * sizeof(struct timer *));
		t->cap = cap;
	}
	put(t, ++t->n, x);
}

void timers_set(struct timers *t, struct timer *x, uint64_t at_ms)
{
	x->at_ms = at_ms;
	if (!timer_is_set(x))
		add(t, x);
	rise(t, x);
	sink(t, x);
}

void timers_unset(struct timers *t, struct timer *x)
{
	struct timer *last;

	if (!timer_is_set(x))
		return;
	last = t->heap[t->n--];
	if (last != x) {
		put(t, x->place, last);
		rise(t, last);
		sink(t, last);
	}
	x->place = 0;
}

struct timer *timers_first(const struct timers *t)
{
	return t->n > 0 ? t->heap[1] : NULL;
}
