/* SPDX-License-Identifier: ISC */
#include "authd/report.h"

#include "lib/conn.h"
#include "lib/log.h"
#include "store/record.h"
#include "store/storage.h"

#include <inttypes.h>
#include <stdio.h>

/* In a directory of its own, which is all that authd may change beside the secrets. */
static const char path[] = "authd/logins";

void report_init(struct report *r, struct judge *j)
{
	*r = (struct report){.judge = j};
	buf_init(&r->last, RECORD_MAX);
}

void report_fini(struct report *r)
{
	struct err ignored;

	if (storage_remove(store_root(r->judge->store), path, 0, &ignored) < 0)
		r->failed = true; /* it tells of the past, then, until the next start */
	buf_fini(&r->last);
}

static void put_state(struct record_writer *w, const struct limiter_state *l,
		      const struct cache_state *c)
{
	record_put_u64(w, "refused-minute", l->refused_minute);
	record_put_u64(w, "refused-hour", l->refused_hour);
	record_put_u64(w, "entries", l->entries);
	record_put_u64(w, "cache-hits", c->hits);
	record_put_u64(w, "cache-misses", c->misses);
	for (size_t i = 0; i < l->n_worst; i++) {
		char text[NETWORK_TEXT + 16];

		snprintf(text, sizeof text, "%s %" PRIu32, l->worst[i].network,
			 l->worst[i].failures);
		record_put(w, "worst", str_of(text));
	}
}

void report_write(struct report *r)
{
	struct limiter_state l;
	struct cache_state c = {0};
	struct record_writer w;
	struct err e;

	limiter_get_state(r->judge->limiter, clock_ms(), &l);
	if (r->judge->cache != NULL)
		cache_get_state(r->judge->cache, &c);
	record_begin(&w, "popstore-authd");
	put_state(&w, &l, &c);

	struct str text = record_finish(&w);
	bool same = str_eq(text, buf_str(&r->last));

	if (!same &&
	    storage_put(store_root(r->judge->store), path, text, 0, NULL, &e) < 0) {
		if (!r->failed)
			log_event(LOG_LV_WARN, "auth.report.failed", kv_err(&e));
		r->failed = true;
	} else if (!same) {
		buf_clear(&r->last);
		buf_put(&r->last, text);
		r->failed = false;
	}
	record_fini(&w);
}
