/* SPDX-License-Identifier: ISC */
#include "authd/limiter.h"

#include "lib/buf.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <xxhash.h>

enum { WAYS = 8, SETS = LIMITER_ENTRIES / WAYS, KEY_OCTETS = 192, MINUTES = 61 };

enum kind { NETWORK, USER, LOOK_UPS };

/* Beyond `most` failures are not counted. */
static const struct pace {
	char letter; /* in the key */
	uint32_t free, most, forgive_ms;
} paces[] = {
	[NETWORK] = {'n', LIMITER_FREE, UINT32_MAX, LIMITER_FORGIVE_MS},
	[USER] = {'u', LIMITER_FREE, LIMITER_USER_MOST, LIMITER_FORGIVE_MS},
	[LOOK_UPS] = {'l', LIMITER_LOOK_UPS,
		      LIMITER_LOOK_UPS + LIMITER_USER_MOST - LIMITER_FREE,
		      LIMITER_LOOK_UP_FORGIVE_MS},
};

struct entry {
	uint64_t key; /* 0: free */
	uint64_t used_ms;
	uint64_t free_ms;     /* when the next turn of its line begins */
	uint64_t forgiven_ms; /* up to when failures are forgiven */
	uint32_t failures;
	enum kind kind;
	struct network network; /* of NETWORK, for limiter_get_state() */
};

/* A user that has logged in from a network. */
struct pair {
	uint64_t key, used_ms;
};

struct limiter {
	pthread_mutex_t lock;
	uint32_t user_ms;
	unsigned char secret[KEY_OCTETS];
	struct entry entries[LIMITER_ENTRIES];
	struct pair pairs[LIMITER_ENTRIES];
	/* Refused ones, a place for each minute of the last hour. */
	uint64_t minute_at[MINUTES];
	uint32_t minute_n[MINUTES];
};

struct limiter *limiter_new(uint32_t user_ms)
{
	struct limiter *l = xalloc(sizeof *l);

	l->user_ms = user_ms;
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

static uint64_t hash(const struct limiter *l, char letter, const struct network *n,
		     struct str user)
{
	struct buf b;
	uint64_t h;

	buf_init(&b, 1024);
	buf_putc(&b, letter);
	if (n != NULL)
		buf_put(&b, (struct str){(const char *)n->first.octets,
					 sizeof n->first.octets});
	/* What is longer than any name shares its beginning's count. */
	buf_put(&b, user);
	h = XXH3_64bits_withSecret(b.p, b.n, l->secret, sizeof l->secret);
	buf_fini(&b);
	return h ? h : 1;
}

/* find_place - the one of this key, or else the place of the one used longest ago */
static struct entry *find_place(struct limiter *l, uint64_t key, enum kind kind,
				uint64_t now)
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
	*oldest = (struct entry){
		.key = key, .kind = kind, .used_ms = now, .forgiven_ms = now};
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
	uint32_t each_ms = paces[x->kind].forgive_ms;
	uint64_t n;

	if (now <= x->forgiven_ms) /* a thread that waited for the lock */
		return;
	n = (now - x->forgiven_ms) / each_ms;
	x->failures -= n < x->failures ? (uint32_t)n : x->failures;
	x->forgiven_ms = x->failures == 0 ? now : x->forgiven_ms + n * each_ms;
}

static void fail(struct entry *x)
{
	if (x->failures < paces[x->kind].most)
		x->failures++;
}

/* delay_of - of the next answer */
static uint32_t delay_of(const struct entry *x, uint32_t most_ms)
{
	uint32_t free = paces[x->kind].free;
	uint64_t ms = LIMITER_FIRST_MS;

	if (x->failures <= free)
		return 0;
	for (uint32_t i = free + 1; i < x->failures && ms < most_ms; i++)
		ms *= 2;
	return ms < most_ms ? (uint32_t)ms : most_ms;
}

/* find_entry - with what is forgiven by now */
static struct entry *find_entry(struct limiter *l, enum kind kind,
				const struct network *network, struct str user,
				uint64_t now)
{
	uint64_t key = hash(l, paces[kind].letter, network, user);
	struct entry *x = find_place(l, key, kind, now);

	if (network != NULL)
		x->network = *network;
	forgive(x, now);
	return x;
}

/* The two entries of a try; NULL where there is nothing to count. */
struct both {
	struct entry *network, *user;
};

static struct both find_both(struct limiter *l, const struct limiter_who *who,
			     uint64_t now)
{
	struct both b = {0};

	if (who->has_network)
		b.network = find_entry(l, NETWORK, &who->network, STR(""), now);
	if (who->user.n > 0)
		b.user = find_entry(l, USER, NULL, who->user, now);
	/* Seldom, it took the other's place. */
	if (b.user == b.network)
		b.network = NULL;
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
	fail(network);
	network->free_ms = begin + delay_of(network, LIMITER_NETWORK_MS);
	out->at_ms = begin;
	return true;
}

bool limiter_begin(struct limiter *l, const struct limiter_who *who, uint64_t now_ms,
		   struct limiter_turn *out)
{
	bool may = true;

	out->at_ms = now_ms;
	must(pthread_mutex_lock(&l->lock) == 0);
	if (who->has_network)
		may = take_turn(find_entry(l, NETWORK, &who->network, STR(""), now_ms),
				now_ms, out);
	if (!may)
		count_refused(l, now_ms);
	must(pthread_mutex_unlock(&l->lock) == 0);
	return may;
}

static void take_back(struct entry *x)
{
	if (x->failures > 0)
		x->failures--;
}

/* knows_network - and remembers it after a login.  Who comes from none that is known here may
 * be anybody. */
static bool knows_network(struct limiter *l, const struct limiter_who *who, bool ok,
			  uint64_t now)
{
	bool found;
	struct pair *p;

	if (!who->has_network || who->user.n == 0)
		return false;

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

	if (!ok)
		count_refused(l, now);
	if (b.network != NULL && ok)
		take_back(b.network);
	else if (b.network != NULL)
		wait += delay_of(b.network, LIMITER_NETWORK_MS);
	if (b.user != NULL && !known) {
		struct entry failed = *b.user;
		uint32_t user_wait;

		/* A right one as long as if it had been wrong. */
		fail(&failed);
		user_wait = delay_of(&failed, l->user_ms);
		wait = wait > user_wait ? wait : user_wait;
		if (!ok)
			*b.user = failed;
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
	if (who->has_network)
		take_back(find_entry(l, NETWORK, &who->network, STR(""), now_ms));
	must(pthread_mutex_unlock(&l->lock) == 0);
}

uint32_t limiter_look_up(struct limiter *l, struct str user, uint64_t now_ms)
{
	struct entry *x;
	uint32_t wait;

	must(pthread_mutex_lock(&l->lock) == 0);
	x = find_entry(l, LOOK_UPS, NULL, user, now_ms);
	fail(x);
	wait = delay_of(x, l->user_ms);
	must(pthread_mutex_unlock(&l->lock) == 0);
	return wait;
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
		out->entries += x->kind != LOOK_UPS && x->failures > 0;
		if (x->kind == NETWORK && x->failures > LIMITER_FREE)
			put_worst(out, x);
	}
	get_refused(l, now_ms, out);
	must(pthread_mutex_unlock(&l->lock) == 0);
}
