/* SPDX-License-Identifier: ISC */
#include "lib/crowd.h"

#include "lib/network.h"

#include <pthread.h>
#include <string.h>

struct place {
	bool taken, counted;
	struct network_address address;
};

struct crowd {
	struct crowd_limits limits;
	pthread_mutex_t lock;
	size_t n; /* places that were ever taken: the rest needs no look */
	struct place places[];
};

struct crowd *crowd_new(const struct crowd_limits *limits)
{
	struct crowd *c = xalloc(sizeof *c + limits->all * sizeof(struct place));

	c->limits = *limits;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void crowd_free(struct crowd **c)
{
	if (*c != NULL)
		pthread_mutex_destroy(&(*c)->lock);
	xfree(c);
}

/* judge - and find a free place.  A thousand places are looked through in less time than
 * it takes to start a thread. */
static enum crowd_verdict judge(const struct crowd *c, const struct place *new,
				size_t *place)
{
	struct network around = network_around(&new->address);
	size_t address = 0, network = 0;

	*place = c->n;
	for (size_t i = 0; i < c->n; i++) {
		const struct place *p = &c->places[i];

		if (!p->taken && *place == c->n)
			*place = i;
		if (!p->taken || !p->counted || !new->counted)
			continue;
		address += memcmp(&p->address, &new->address, sizeof p->address) == 0;
		network += network_has(&around, &p->address);
	}
	if (*place == c->limits.all)
		return CROWD_FULL;
	if (address >= c->limits.address)
		return CROWD_ADDRESS;
	return network >= c->limits.network ? CROWD_NETWORK : CROWD_IN;
}

enum crowd_verdict crowd_enter(struct crowd *c, struct str address, size_t *place)
{
	struct place new = {.taken = true};
	enum crowd_verdict verdict;

	new.counted = network_parse_address(address, &new.address);
	pthread_mutex_lock(&c->lock);
	verdict = judge(c, &new, place);
	if (verdict == CROWD_IN) {
		c->places[*place] = new;
		if (*place == c->n)
			c->n++;
	}
	pthread_mutex_unlock(&c->lock);
	return verdict;
}

const char *crowd_why(enum crowd_verdict v)
{
	switch (v) {
	case CROWD_ADDRESS:
		return "too many connections of this address";
	case CROWD_NETWORK:
		return "too many connections of this network";
	case CROWD_FULL:
	case CROWD_IN:
		break;
	}
	return "too many connections";
}

void crowd_leave(struct crowd *c, size_t place)
{
	pthread_mutex_lock(&c->lock);
	must(place < c->n && c->places[place].taken);
	c->places[place].taken = false;
	while (c->n > 0 && !c->places[c->n - 1].taken)
		c->n--;
	pthread_mutex_unlock(&c->lock);
}
