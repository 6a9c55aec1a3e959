/* SPDX-License-Identifier: ISC */
#include "store/scrub.h"

#include "lib/conn.h"
#include "lib/pace.h"
#include "store/check_int.h"
#include "store/message.h"
#include "store/store_int.h"

#include <time.h>

/* How long a wait lasts before it is asked whether to stop. */
enum { WAIT_MS = 100 };

struct scrub {
	struct check c; /* first: what it has in common with a check */
	struct pace pace;
};

/* piece_read - waits until the next piece may be read; false when it is to stop */
static bool piece_read(size_t octets, void *ctx)
{
	struct scrub *s = ctx;
	uint64_t wait = pace_used(&s->pace, octets, clock_ms());

	while (wait > 0 && !round_must_stop(&s->c.round)) {
		uint64_t ms = wait < WAIT_MS ? wait : WAIT_MS;

		nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
		wait = pace_wait_ms(&s->pace, clock_ms());
	}
	return !s->c.round.stopped;
}

static bool verify(struct scrub *s, struct message *m, struct err *e)
{
	return message_slots(m, e) == 0 && piece_read(message_info(m)->body, s) &&
	       message_verify_by(m, piece_read, s, e) == 0;
}

static void scrub_message(struct scrub *s, unsigned volume, uint64_t id, struct err *e)
{
	struct check_result *r = s->c.result;
	struct message *m;
	bool whole = message_open(s->c.s, volume, id, &m, e) == 0;

	if (whole && m == NULL)
		return; /* removed meanwhile */
	whole = whole && verify(s, m, e);
	if (!s->c.round.stopped) {
		r->messages++;
		r->octets += m != NULL ? message_info(m)->stored : 0;
		if (!whole)
			check_report(&s->c, "I8", false, "%s", e->text);
	}
	message_close(&m);
}

static int scrub_one(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	struct scrub *s = ctx;
	struct storage *st = store_volume(s->c.s, volume)->storage;
	struct message_path path = message_path(id);

	storage_uncache(st, path.s);
	scrub_message(s, volume, id, e);
	storage_uncache(st, path.s);
	return 0;
}

static int scrub_messages(struct check *c, struct err *e)
{
	return round_messages(&c->round, scrub_one, c, e);
}

int scrub_run(struct store *store, const struct check_options *o, uint64_t rate,
	      struct check_result *out, struct err *e)
{
	static const struct check_phase phases[] = {{"messages", scrub_messages}};
	struct scrub s = {
		.c.s = store,
		.c.o = o,
		.c.result = out,
		.c.round = {.s = store,
			    .c = &s.c,
			    .name = "scrubbing",
			    .o = o,
			    .so_far = out},
	};

	*out = (struct check_result){0};
	pace_begin(&s.pace, rate, clock_ms());
	if (round_begin(&s.c.round, "scrub", e) < 0)
		return -1;
	return round_end(&s.c.round, check_phases(&s.c, phases, countof(phases), e), e);
}
