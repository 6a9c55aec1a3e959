/* SPDX-License-Identifier: ISC */
#include "dispatch/channels.h"

#include "lib/handoff.h"
#include "lib/ticket.h"

#include <unistd.h>

/* What is given to authd and submitd is a socket of ours, whose end is an answer. */
static const struct {
	const char *give, *take;
	struct str late; /* for whom nobody has taken when all have ended */
} names[CHANNEL_COUNT] = {
	/* clang-format off */
	[CHANNEL_SESSION] = {"session.give", "session.take",
			     STR_INIT("-ERR [SYS/TEMP] no session now, try again later\r\n")},
	[CHANNEL_AUTH]    = {"auth.give",    "auth.take",    STR_INIT("")},
	[CHANNEL_SUBMIT]  = {"submit.give",  "submit.take",  STR_INIT("")},
	[CHANNEL_SIEVE]   = {"sieve-session.give", "sieve-session.take",
			     STR_INIT("BYE (TRYLATER) \"no session now, try again later\"\r\n")},
	[CHANNEL_SIEVE_BACK] = {"sieve-back.give", "sieve-back.take",
			     STR_INIT("BYE (TRYLATER) \"this server stops\"\r\n")},
	/* clang-format on */
};

int channels_open(struct channels *c, struct err *e)
{
	for (size_t i = 0; i < CHANNEL_COUNT; i++) {
		c->give[i] = (struct listening){.section = names[i].give, .fd = -1};
		c->take[i] = (struct listening){.section = names[i].take, .fd = -1};
	}
	c->ticket = (struct listening){.section = "ticket", .fd = -1};
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		if (handoff_pair(&c->give[i].fd, &c->take[i].fd, e) < 0)
			return -1;
	return ticket_key_make(&c->ticket.fd, e);
}

static void close_end(struct listening *l)
{
	if (l->section != NULL && l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void channels_close(struct channels *c)
{
	for (size_t i = 0; i < CHANNEL_COUNT; i++) {
		if (c->take[i].section != NULL && c->take[i].fd >= 0)
			handoff_turn_away(c->take[i].fd, names[i].late);
		close_end(&c->give[i]);
		close_end(&c->take[i]);
	}
	close_end(&c->ticket);
}

void channels_stop(const struct channels *c)
{
	handoff_close(c->give[CHANNEL_SESSION].fd);
	handoff_close(c->give[CHANNEL_SIEVE].fd);
	handoff_close(c->give[CHANNEL_SIEVE_BACK].fd);
}

size_t channels_of(const struct channels *c, const struct service *service,
		   const struct listening *out[CHANNEL_ENDS])
{
	size_t n = 0;

	for (size_t i = 0; i < CHANNEL_COUNT; i++) {
		if (service->gives & 1u << i)
			out[n++] = &c->give[i];
		if (service->takes & 1u << i)
			out[n++] = &c->take[i];
	}
	if (service->signs)
		out[n++] = &c->ticket;
	return n;
}
