/* SPDX-License-Identifier: ISC */
#include "authd/limiter.h"

#include "lib/buf.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <xxhash.h>

enum { WAYS = 8, SETS = LIMITER_ENTRIES / WAYS, KEY_OCTETS = 192, MINUTES = 61 };

/* Of a network or a user. */
struct entry {
	uint64_t key; /* 0: free */
	uint64_t used_ms;
	uint64_t free_ms;     /* when the next turn of its line begins */
	uint64_t forgiven_ms; /* up to when failures are forgiven */
	uint32_t failures;
	bool is_network;
	struct network network; /* for limiter_get_state() */
};

/* A user that has logged in from a network. */
struct pair {
	uint64_t key, used_ms;
};

struct limiter {
	pthread_mutex_t lock;
	unsigned char secret[KEY_OCTETS];
	struct entry entries[LIMITER_ENTRIES];
	struct pair pairs[LIMITER_ENTRIES];
	/* Refused ones, a place for each minute of the last hour. */
	uint64_t minute_at[MINUTES];
	uint32_t minute_n[MINUTES];
};

struct limiter *limiter_new(void)
{
	struct limiter *l = xalloc(sizeof *l);

	must(RAND_bytes(l->secret, sizeof l->secret) == 1);
	must(pthread_mutex_init(&l->lock, NULL) == 0);
	return l;
}

void limiter_free(struct limiter **l)
{
	if (*l == NULL)
		return;
	pthread_mutex_destroy(&(*l)->lock);
	xfree(l);
}

/* ---- tables ------------------------------------------------------------------------- */

static uint64_t hash(const struct limiter *l, char kind, const struct network *n,
		     struct str user)
{
	struct buf b;
	uint64_t h;

	buf_init(&b, 1024);
	buf_putc(&b, kind);
	if (n != NULL)
		buf_put(&b, (struct str){(const char *)n->first.octets,
					 sizeof n->first.octets});
	/* What is longer than any name shares its beginning's count. */
	buf_put(&b, user);
	h = XXH3_64bits_withSecret(b.p, b.n, l->secret, sizeof l->secret);
	buf_fini(&b);
	return h ? h : 1;
}

/* find_entry - the one of this key, or else the place of the one used longest ago */
static struct entry *find_entry(struct limiter *l, uint64_t key, uint64_t now)
{
	struct entry *set = &l->entries[key % SETS * WAYS], *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			set[i].used_ms = now;
			return &set[i];
		}
		if (set[i].key == 0 ||
		    (oldest->key != 0 && set[i].used_ms < oldest->used_ms))
			oldest = &set[i];
	}
	*oldest = (struct entry){.key = key, .used_ms = now, .forgiven_ms = now};
	return oldest;
}

static struct pair *find_pair(struct limiter *l, uint64_t key, bool *found)
{
	struct pair *set = &l->pairs[key % SETS * WAYS], *oldest = set;

	*found = false;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			*found = true;
			return &set[i];
		}
		if (set[i].key == 0 ||
		    (oldest->key != 0 && set[i].used_ms < oldest->used_ms))
			oldest = &set[i];
	}
	return oldest;
}

static void forgive(struct entry *x, uint64_t now)
{
	uint64_t n;

	if (now <= x->forgiven_ms) /* a thread that waited for the lock */
		return;
	n = (now - x->forgiven_ms) / LIMITER_FORGIVE_MS;
	x->failures -= n < x->failures ? (uint32_t)n : x->failures;
	x->forgiven_ms = x->failures == 0 ? now : x->forgiven_ms + n * LIMITER_FORGIVE_MS;
}

static uint32_t delay_ms(uint32_t failures, uint32_t most)
{
	uint64_t ms = LIMITER_FIRST_MS;

	if (failures <= LIMITER_FREE)
		return 0;
	for (uint32_t i = LIMITER_FREE + 1; i < failures && ms < most; i++)
		ms *= 2;
	return ms < most ? (uint32_t)ms : most;
}

/* The two entries of a try; NULL where there is nothing to count. */
struct both {
	struct entry *network, *user;
};

static struct both find_both(struct limiter *l, const struct limiter_who *who,
			     uint64_t now)
{
	struct both b = {0};

	if (who->has_network) {
		b.network = find_entry(l, hash(l, 'n', &who->network, STR("")), now);
		b.network->is_network = true;
		b.network->network = who->network;
		forgive(b.network, now);
	}
	if (who->user.n > 0) {
		b.user = find_entry(l, hash(l, 'u', NULL, who->user), now);
		forgive(b.user, now);
		/* Seldom, it took the other's place. */
		if (b.user == b.network)
			b.network = NULL;
	}
	return b;
}

static void count_refused(struct limiter *l, uint64_t now)
{
	uint64_t minute = now / 60000;
	size_t i = minute % MINUTES;

	if (l->minute_at[i] != minute) {
		l->minute_at[i] = minute;
		l->minute_n[i] = 0;
	}
	l->minute_n[i]++;
}

/* ---- tries -------------------------------------------------------------------------- */

/* take_turn - a try counts as failed until it is known: those that are judged at the same
 * time must not all be the first */
static bool take_turn(struct entry *network, uint64_t now, struct limiter_turn *out)
{
	uint64_t begin = network->free_ms > now ? network->free_ms : now;

	if (begin - now > LIMITER_LINE_MS)
		return false;
	network->failures++;
	network->free_ms = begin + delay_ms(network->failures, LIMITER_NETWORK_MS);
	out->at_ms = begin;
	return true;
}

bool limiter_begin(struct limiter *l, const struct limiter_who *who, uint64_t now_ms,
		   struct limiter_turn *out)
{
	bool may = true;

	out->at_ms = now_ms;
	must(pthread_mutex_lock(&l->lock) == 0);

	struct both b = find_both(l, who, now_ms);

	if (b.network != NULL)
		may = take_turn(b.network, now_ms, out);
	if (!may)
		count_refused(l, now_ms);
	must(pthread_mutex_unlock(&l->lock) == 0);
	return may;
}

static void take_back(struct entry *x)
{
	if (x != NULL && x->failures > 0)
		x->failures--;
}

/* knows_network - and remembers it after a login */
static bool knows_network(struct limiter *l, const struct limiter_who *who, bool ok,
			  uint64_t now)
{
	bool found;
	struct pair *p;

	if (!who->has_network || who->user.n == 0)
		return true;

	uint64_t key = hash(l, 'p', &who->network, who->user);

	p = find_pair(l, key, &found);
	if (ok)
		*p = (struct pair){key, now};
	return found;
}

static uint32_t wait_of(struct limiter *l, const struct limiter_who *who,
			const struct limiter_turn *t, bool ok, uint64_t now)
{
	struct both b = find_both(l, who, now);
	uint64_t wait = t->at_ms > now ? t->at_ms - now : 0;
	bool known = knows_network(l, who, ok, now);

	if (ok) {
		take_back(b.network);
	} else {
		count_refused(l, now);
		if (b.network != NULL)
			wait += delay_ms(b.network->failures, LIMITER_NETWORK_MS);
	}
	if (b.user != NULL && !known) {
		uint32_t user_wait = delay_ms(b.user->failures + !ok, LIMITER_USER_MS);

		b.user->failures += !ok;
		wait = wait > user_wait ? wait : user_wait;
	}
	return (uint32_t)wait;
}

uint32_t limiter_end(struct limiter *l, const struct limiter_who *who,
		     const struct limiter_turn *t, bool ok, uint64_t now_ms)
{
	must(pthread_mutex_lock(&l->lock) == 0);

	uint32_t wait = wait_of(l, who, t, ok, now_ms);

	must(pthread_mutex_unlock(&l->lock) == 0);
	return wait;
}

void limiter_undo(struct limiter *l, const struct limiter_who *who, uint64_t now_ms)
{
	must(pthread_mutex_lock(&l->lock) == 0);
	take_back(find_both(l, who, now_ms).network);
	must(pthread_mutex_unlock(&l->lock) == 0);
}

/* ---- what can be seen --------------------------------------------------------------- */

static void put_worst(struct limiter_state *s, const struct entry *x)
{
	struct limiter_worst w = {.failures = x->failures};
	size_t i = s->n_worst;

	while (i > 0 && s->worst[i - 1].failures < w.failures)
		i--;
	if (i == LIMITER_WORST)
		return;
	if (s->n_worst < LIMITER_WORST)
		s->n_worst++;
	network_print(&x->network, w.network);
	memmove(&s->worst[i + 1], &s->worst[i],
		(s->n_worst - 1 - i) * sizeof s->worst[0]);
	s->worst[i] = w;
}

static void get_refused(const struct limiter *l, uint64_t now, struct limiter_state *out)
{
	uint64_t minute = now / 60000;

	for (size_t i = 0; i < MINUTES; i++) {
		uint64_t age = minute - l->minute_at[i];

		if (age <= 1 && l->minute_n[i] > out->refused_minute)
			out->refused_minute = l->minute_n[i];
		if (age <= 60)
			out->refused_hour += l->minute_n[i];
	}
}

void limiter_get_state(struct limiter *l, uint64_t now_ms, struct limiter_state *out)
{
	*out = (struct limiter_state){0};
	must(pthread_mutex_lock(&l->lock) == 0);
	for (size_t i = 0; i < LIMITER_ENTRIES; i++) {
		struct entry *x = &l->entries[i];

		if (x->key == 0)
			continue;
		forgive(x, now_ms);
		out->entries += x->failures > 0;
		if (x->is_network && x->failures > LIMITER_FREE)
			put_worst(out, x);
	}
	get_refused(l, now_ms, out);
	must(pthread_mutex_unlock(&l->lock) == 0);
}
