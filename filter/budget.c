/* SPDX-License-Identifier: ISC */
#include "filter/budget.h"

#include "lib/base.h"

#include <pthread.h>
#include <sys/random.h>
#include <xxhash.h>

enum { MINUTE_MS = 60 * 1000, WAYS = 8, ROWS = BUDGET_ACCOUNTS / WAYS };

struct bucket {
	uint64_t name;
	uint64_t steps; /* 0: nobody's */
	uint64_t at_ms; /* when that was so */
};

struct budget {
	uint64_t rate; /* steps a minute */
	uint64_t key;
	pthread_mutex_t mutex; /* guards all below */
	struct bucket rows[ROWS][WAYS];
};

struct budget *budget_new(uint64_t steps_a_minute)
{
	struct budget *b = xalloc(sizeof *b);

	b->rate = steps_a_minute;
	must(getrandom(&b->key, sizeof b->key, 0) == sizeof b->key);
	must(pthread_mutex_init(&b->mutex, NULL) == 0);
	return b;
}

void budget_free(struct budget **b)
{
	if (*b == NULL)
		return;
	pthread_mutex_destroy(&(*b)->mutex);
	xfree(b);
}

/* leak - what has run out since the last time */
static void leak(const struct budget *b, struct bucket *x, uint64_t now_ms)
{
	uint64_t ms = now_ms > x->at_ms ? now_ms - x->at_ms : 0;
	/* More than two minutes empty any bucket: no product becomes too large. */
	uint64_t out = ms < 2 * MINUTE_MS ? b->rate / MINUTE_MS * ms +
						    b->rate % MINUTE_MS * ms / MINUTE_MS
					  : x->steps;

	if (out == 0 && x->steps > 0)
		return; /* the time goes on counting */
	x->steps -= out < x->steps ? out : x->steps;
	x->at_ms = now_ms;
}

static uint64_t hash(const struct budget *b, struct str account)
{
	return XXH3_64bits_withSeed(account.p, account.n, b->key);
}

/* find - NULL: it is empty */
static struct bucket *find(struct budget *b, uint64_t name, uint64_t now_ms)
{
	struct bucket *row = b->rows[name % ROWS];

	for (size_t i = 0; i < WAYS; i++)
		if (row[i].steps > 0 && row[i].name == name) {
			leak(b, &row[i], now_ms);
			return row[i].steps > 0 ? &row[i] : NULL;
		}
	return NULL;
}

/* take - an empty one, or the one that holds least */
static struct bucket *take(struct budget *b, uint64_t name, uint64_t now_ms)
{
	struct bucket *row = b->rows[name % ROWS], *least = &row[0];

	for (size_t i = 0; i < WAYS; i++) {
		leak(b, &row[i], now_ms);
		if (row[i].steps < least->steps)
			least = &row[i];
	}
	*least = (struct bucket){.name = name, .at_ms = now_ms};
	return least;
}

bool budget_left(struct budget *b, struct str account, uint64_t now_ms)
{
	const struct bucket *x;
	bool left;

	if (b->rate == 0)
		return true;
	must(pthread_mutex_lock(&b->mutex) == 0);
	x = find(b, hash(b, account), now_ms);
	left = x == NULL || x->steps < b->rate;
	must(pthread_mutex_unlock(&b->mutex) == 0);
	return left;
}

void budget_spend(struct budget *b, struct str account, uint64_t steps, uint64_t now_ms)
{
	uint64_t name = hash(b, account);
	struct bucket *x;

	if (b->rate == 0 || steps == 0)
		return;
	must(pthread_mutex_lock(&b->mutex) == 0);
	x = find(b, name, now_ms);
	if (x == NULL)
		x = take(b, name, now_ms);
	/* So much and no more can be owed that a minute or two make up for it. */
	x->steps = x->steps + steps < 2 * b->rate ? x->steps + steps : 2 * b->rate;
	must(pthread_mutex_unlock(&b->mutex) == 0);
}
