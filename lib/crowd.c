/* SPDX-License-Identifier: ISC */
#include "lib/crowd.h"

#include "lib/network.h"

#include <pthread.h>
#include <string.h>

struct place {
	uint64_t turn; /* of who has it, in the order of coming; 0 = nobody */
	bool counted;
	struct network_address address;
	struct conn *conn;
};

struct crowd {
	struct crowd_limits limits;
	pthread_mutex_t lock;
	uint64_t turns; /* so far */
	size_t n;       /* places that were ever taken: the rest needs no look */
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

/* judge - whether these limits let it in.  A thousand places are looked through in less time
 * than it takes to start a thread. */
static enum crowd_verdict judge(const struct crowd *c, const struct place *new)
{
	struct network around = network_around(&new->address);
	size_t address = 0, network = 0;

	if (!new->counted)
		return CROWD_IN;
	for (size_t i = 0; i < c->n; i++) {
		const struct place *p = &c->places[i];

		if (p->turn == 0 || !p->counted)
			continue;
		address += memcmp(&p->address, &new->address, sizeof p->address) == 0;
		network += network_has(&around, &p->address);
	}
	if (address >= c->limits.address)
		return CROWD_ADDRESS;
	return network >= c->limits.network ? CROWD_NETWORK : CROWD_IN;
}

/* find - a free place, or that of who came first */
static size_t find(struct crowd *c)
{
	size_t first = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->places[i].turn == 0)
			return i;
		if (c->places[i].turn < c->places[first].turn)
			first = i;
	}
	return c->n < c->limits.all ? c->n++ : first;
}

/* take - who has the place leaves before it closes, and waits for the lock to do so: the
 * connection is still one */
static void take(struct crowd *c, size_t at, const struct place *new)
{
	if (c->places[at].turn != 0)
		conn_cut(c->places[at].conn);
	c->places[at] = *new;
	c->places[at].turn = ++c->turns;
}

enum crowd_verdict crowd_enter(struct crowd *c, struct str address, struct conn *conn,
			       struct crowd_place *place)
{
	struct place new = {.conn = conn};
	enum crowd_verdict verdict;

	new.counted = network_parse_address(address, &new.address);
	pthread_mutex_lock(&c->lock);
	verdict = judge(c, &new);
	if (verdict == CROWD_IN) {
		size_t at = find(c);

		take(c, at, &new);
		*place = (struct crowd_place){at, c->turns};
	}
	pthread_mutex_unlock(&c->lock);
	return verdict;
}

const char *crowd_why(enum crowd_verdict v)
{
	return v == CROWD_ADDRESS ? "too many connections of this address"
				  : "too many connections of this network";
}

int crowd_leave(struct crowd *c, const struct crowd_place *place, struct err *e)
{
	bool mine;

	pthread_mutex_lock(&c->lock);
	mine = c->places[place->at].turn == place->turn;
	if (mine)
		c->places[place->at].turn = 0;
	while (c->n > 0 && c->places[c->n - 1].turn == 0)
		c->n--;
	pthread_mutex_unlock(&c->lock);
	return mine ? 0
		    : err_set(e, ERR_PEER, "4.3.2", "too many connections: it gave way");
}
