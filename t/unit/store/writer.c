/* SPDX-License-Identifier: ISC */
#include "store/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/conn.h"
#include "store/id.h"
#include "t/unit/store/scratch.h"

enum { HOUR_MS = 3600 * 1000 };

struct bench {
	struct scratch s;
	struct storage *root;
};

static int start(void **state)
{
	struct bench *b = xalloc(sizeof *b);

	*state = b;
	scratch_settings(&b->s, "", "");
	scratch_ok(store_init(b->s.set, &e_));
	scratch_ok(storage_open_posix(b->s.set->store.root, &b->root, &e_));
	return 0;
}

static int stop(void **state)
{
	struct bench *b = *state;

	storage_close(&b->root);
	scratch_end(&b->s);
	xfree(state);
	return 0;
}

static struct writer *begin(struct bench *b)
{
	struct writer *w;

	scratch_ok(writer_open(b->root, &w, &e_));
	return w;
}

static uint64_t next(struct writer *w, bool delivery)
{
	uint64_t id;

	scratch_ok(writer_id(w, delivery, &id, &e_));
	return id;
}

/* number - that this writer has */
static uint32_t number(struct writer *w)
{
	return id_writer(next(w, false));
}

/* Puts the record of writer 0 there, as some process left it. */
static void leave(struct bench *b, const char *as, uint64_t checkpoint_ms,
		  uint64_t until_ms)
{
	struct record_writer r;

	record_begin(&r, "popstore-writer");
	record_put(&r, "state", str_of(as));
	record_put_u64(&r, "checkpoint", checkpoint_ms);
	record_put_u64(&r, "until", until_ms);
	record_put(&r, "mount", STR("some/boot"));
	scratch_write(&b->s, "store/writers/0", record_finish(&r));
	record_fini(&r);
}

static uint64_t recorded(struct bench *b, uint32_t writer, const char *key)
{
	char path[40];
	struct buf text;
	uint64_t n = 0;

	snprintf(path, sizeof path, "store/writers/%u", writer);
	buf_init(&text, 1024);
	scratch_read(&b->s, path, &text);
	scratch_ok(record_check(buf_str(&text), "popstore-writer", path, &e_));
	assert_true(record_get_u64(buf_str(&text), key, &n));
	buf_fini(&text);
	return n;
}

/* ---- ids ---------------------------------------------------------------------------- */

static void ids_grow_also_within_a_millisecond(void **state)
{
	struct writer *w = begin(*state);
	uint64_t before = next(w, false), first = before;

	for (int i = 0; i < 5 * ID_SEQUENCE; i++) {
		uint64_t id = next(w, false);

		assert_true(id > before);
		before = id;
	}
	/* each millisecond holds ID_SEQUENCE of them */
	assert_true(id_unix_ms(before) >= id_unix_ms(first) + 4);
	writer_close(&w);
	assert_null(w);
	writer_close(&w);
}

static void their_time_is_on_the_disk_before_them(void **state)
{
	struct bench *b = *state;
	uint64_t now = clock_unix_ms();
	struct writer *w = begin(b);
	uint64_t id = next(w, false);

	assert_true(id_unix_ms(id) >= now);
	assert_true(recorded(b, 0, "until") > id_unix_ms(id));
	assert_true(recorded(b, 0, "checkpoint") <= id_unix_ms(id));
	writer_close(&w);
	assert_true(recorded(b, 0, "until") > id_unix_ms(id));
}

static void two_writers_never_meet(void **state)
{
	struct bench *b = *state;
	struct writer *v = begin(b), *w = begin(b);

	assert_int_equal(number(v), 0);
	assert_int_equal(number(w), 1);
	writer_close(&v);
	writer_close(&w);
}

struct many {
	struct writer *w;
	uint64_t ids[5000];
};

static void *take_many(void *ctx)
{
	struct many *m = ctx;
	struct err e;

	for (size_t i = 0; i < countof(m->ids); i++)
		must(writer_id(m->w, true, &m->ids[i], &e) == 0);
	for (size_t i = 0; i < countof(m->ids); i++)
		writer_done(m->w, m->ids[i]);
	return NULL;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void threads_share_a_writer(void **state)
{
	enum { THREADS = 4 };
	struct many *m = xalloc(THREADS * sizeof *m);
	struct writer *w = begin(*state);
	pthread_t thread[THREADS];
	uint64_t *all = xalloc(THREADS * sizeof m->ids);

	for (size_t i = 0; i < THREADS; i++) {
		m[i].w = w;
		assert_int_equal(pthread_create(&thread[i], NULL, take_many, &m[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		memcpy(all + i * countof(m->ids), m[i].ids, sizeof m->ids);
	}
	qsort(all, THREADS * countof(m->ids), sizeof *all, by_id);
	for (size_t i = 1; i < THREADS * countof(m->ids); i++)
		assert_true(all[i - 1] < all[i]);
	writer_close(&w);
	xfree(&all);
	xfree(&m);
}

/* ---- taking a number ------------------------------------------------------------------ */

static void a_number_that_ended_cleanly_is_taken_again(void **state)
{
	struct bench *b = *state;
	struct writer *w = begin(b);
	uint64_t id = next(w, false), again;

	writer_close(&w);
	w = begin(b);
	again = next(w, false);
	writer_close(&w);
	/* Its record ended a millisecond after its last id, which may be now. */
	if (id_writer(again) == id_writer(id))
		assert_true(again > id);
	else
		assert_int_equal(id_writer(again), 1);

	leave(b, "closed", 1, clock_unix_ms() - 1);
	w = begin(b);
	assert_int_equal(number(w), 0);
	writer_close(&w);
}

/* The clock was set back: ids of that time may have been used already. */
static void a_number_ahead_of_the_clock_is_not_taken(void **state)
{
	struct bench *b = *state;
	struct writer *w;

	leave(b, "closed", 1, clock_unix_ms() + HOUR_MS);
	w = begin(b);
	assert_int_equal(number(w), 1);
	writer_close(&w);
}

static void a_damaged_record_is_passed_over(void **state)
{
	struct bench *b = *state;
	struct writer *w;

	leave(b, "closed", 1, 2);
	scratch_flip(&b->s, "store/writers/0", 30);
	w = begin(b);
	assert_int_equal(number(w), 1);
	writer_close(&w);
}

struct dead {
	size_t n;
	bool clean;
	struct writer_state last;
};

static int see_dead(const struct writer_state *w, bool *clean, void *ctx, struct err *e)
{
	struct dead *d = ctx;

	d->n++;
	d->last = *w;
	*clean = d->clean;
	(void)e;
	return 0;
}

static size_t dead(struct bench *b, bool clean, struct writer_state *out)
{
	struct dead d = {.clean = clean};

	scratch_ok(writer_each_dead(b->root, see_dead, &d, &e_));
	if (out != NULL)
		*out = d.last;
	return d.n;
}

static void after_an_unclean_end_recovery_comes_first(void **state)
{
	struct bench *b = *state;
	struct writer_state left;
	struct writer *w;

	leave(b, "open", 1000, 2000);
	w = begin(b);
	assert_int_equal(number(w), 1);
	/* recovery that could not finish leaves it as it is */
	assert_int_equal(dead(b, false, &left), 1);
	assert_int_equal(left.number, 0);
	assert_int_equal(left.checkpoint_ms, 1000);
	assert_int_equal(left.until_ms, 2000);
	assert_string_equal(left.mount, "some/boot");
	writer_close(&w);
	assert_int_equal(dead(b, true, &left), 1);
	assert_int_equal(left.number, 0);
	assert_int_equal(dead(b, true, NULL), 0);
	assert_int_equal(writer_checkpoint_of(b->root, 0), 2000);
	w = begin(b);
	assert_int_equal(number(w), 0);
	writer_close(&w);
}

static void one_that_lives_is_not_dead(void **state)
{
	struct bench *b = *state;
	struct writer *w = begin(b);
	uint64_t id = next(w, true);

	assert_int_equal(dead(b, true, NULL), 0);
	/* its end without a checkpoint is not clean */
	writer_done(w, id);
	writer_close(&w);
	assert_int_equal(dead(b, true, NULL), 1);
}

/* What a process may have left whose record is damaged is anything, and its number is
 * never used again. */
static void recovery_retires_a_damaged_number(void **state)
{
	struct bench *b = *state;
	struct writer_state left;
	struct writer *w;

	leave(b, "closed", 1, 2);
	scratch_flip(&b->s, "store/writers/0", 30);
	assert_int_equal(dead(b, true, &left), 1);
	assert_int_equal(left.number, 0);
	assert_int_equal(left.checkpoint_ms, 0);
	assert_true(left.until_ms == ID_LAST_MS);
	assert_string_equal(left.mount, "");
	assert_int_equal(dead(b, true, NULL), 0);
	w = begin(b);
	assert_int_equal(number(w), 1);
	writer_close(&w);
}

static void lose_record(struct bench *b, unsigned n)
{
	char path[64];

	snprintf(path, sizeof path, "store/writers/%u", n);
	assert_int_equal(unlink(scratch_path(&b->s, path).s), 0);
}

/* The lease says that there was one. */
static void recovery_looks_for_a_record_that_is_lost(void **state)
{
	struct bench *b = *state;
	struct writer_state left;
	struct writer *w = begin(b);
	uint64_t id = next(w, true);

	/* its holder is alive, and writes it again */
	lose_record(b, 0);
	assert_int_equal(dead(b, true, NULL), 0);
	assert_false(writer_has_settled(b->root, id));
	writer_done(w, id);
	writer_close(&w);
	assert_true(writer_has_settled(b->root, id));
	w = begin(b);
	assert_int_equal(number(w), 1);
	writer_close(&w);
	/* one that cannot finish leaves nothing that looks like an end */
	assert_int_equal(dead(b, false, NULL), 1);
	assert_int_equal(dead(b, true, &left), 1);
	assert_int_equal(left.number, 0);
	assert_int_equal(left.checkpoint_ms, 0);
	assert_true(left.until_ms == ID_LAST_MS);
	assert_string_equal(left.mount, "");
	assert_int_equal(dead(b, true, NULL), 0);
	/* not before all the ids are past that it may have reserved */
	assert_true(writer_checkpoint_of(b->root, 0) > clock_unix_ms());
	assert_true(writer_checkpoint_of(b->root, 0) <= clock_unix_ms() + 60 * 1000);
}

/* Nor is a lease that was made a moment ago one of a record that is lost. */
static void a_lease_that_is_new_is_none_of_a_lost_record(void **state)
{
	struct bench *b = *state;
	struct storage_lease *lease;
	struct writer *w;

	scratch_ok(storage_lease_take(b->root, "writers/0.lease", &lease, &e_));
	storage_lease_drop(&lease);
	assert_false(writer_is_of_now(b->root, 7));
	assert_false(scratch_exists(&b->s, "store/writers/7.lease"));
	assert_int_equal(dead(b, true, NULL), 0);
	w = begin(b);
	assert_int_equal(number(w), 0);
	writer_close(&w);
}

/* Each is whole, and says the wrong thing of the other one's messages. */
static void records_that_were_exchanged_are_damaged(void **state)
{
	static const char *const paths[] = {"store/writers/0", "store/writers/1",
					    "store/writers/2"};
	struct bench *b = *state;
	struct writer *one = begin(b), *other = begin(b);
	static const int moves[][2] = {{0, 2}, {1, 0}, {2, 1}};

	next(one, true);
	writer_close(&one);
	writer_close(&other);
	for (size_t i = 0; i < countof(moves); i++)
		assert_int_equal(rename(scratch_path(&b->s, paths[moves[i][0]]).s,
					scratch_path(&b->s, paths[moves[i][1]]).s),
				 0);
	assert_int_equal(writer_checkpoint_of(b->root, 0), 0);
	assert_int_equal(dead(b, true, NULL), 2);
	assert_int_equal(dead(b, true, NULL), 0);
}

struct open_writers {
	size_t n, bad;
};

static void see_open(const struct writer_state *w, bool held, const struct err *why,
		     void *ctx)
{
	struct open_writers *o = ctx;

	assert_false(held);
	assert_true(why == NULL || w->checkpoint_ms == 0);
	o->n++;
	o->bad += why != NULL;
}

static void what_is_lost_or_damaged_is_told(void **state)
{
	struct bench *b = *state;
	struct open_writers o = {0};
	struct writer *w[3];

	for (size_t i = 0; i < countof(w); i++)
		w[i] = begin(b);
	for (size_t i = 0; i < countof(w); i++) {
		next(w[i], true); /* it stays open */
		writer_close(&w[i]);
	}
	lose_record(b, 1);
	scratch_flip(&b->s, "store/writers/2", 30);
	scratch_write(&b->s, "store/writers/3.leash", STR(""));
	scratch_write(&b->s, "store/writers/4096.lease", STR(""));
	scratch_ok(writer_each_open(b->root, see_open, &o, &e_));
	assert_int_equal(o.n, 3);
	assert_int_equal(o.bad, 2);
}

/* ---- checkpoints --------------------------------------------------------------------------- */

struct syncs {
	struct writer *w;
	size_t n;
	int rc;
	uint64_t during; /* a delivery that begins while it syncs */
};

static int count_sync(void *ctx, struct err *e)
{
	struct syncs *s = ctx;

	s->n++;
	if (s->w != NULL)
		s->during = next(s->w, true);
	return s->rc < 0 ? err_set(e, ERR_TEMP, "4.3.0", "no") : 0;
}

static void a_checkpoint_is_for_deliveries(void **state)
{
	struct bench *b = *state;
	struct writer *w = begin(b);
	struct syncs s = {0};
	uint64_t id;

	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	next(w, false);
	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	assert_int_equal(s.n, 0);

	id = next(w, true);
	writer_done(w, id);
	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	assert_int_equal(s.n, 1);
	assert_true(writer_checkpoint_of(b->root, 0) > id_unix_ms(id));
	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	assert_int_equal(s.n, 1);
	/* no later id is below it */
	assert_true(id_unix_ms(next(w, false)) >= writer_checkpoint_of(b->root, 0));
	writer_close(&w);
	assert_int_equal(dead(b, true, NULL), 0);
}

static void a_checkpoint_stops_before_what_still_runs(void **state)
{
	struct bench *b = *state;
	struct writer *w = begin(b);
	struct syncs s = {0};
	uint64_t slow = next(w, true), quick;

	do {
		quick = next(w, true);
		writer_done(w, quick);
	} while (id_unix_ms(quick) == id_unix_ms(slow));
	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	assert_true(writer_checkpoint_of(b->root, 0) == id_unix_ms(slow));
	/* nothing new began, but there is more to say once it is over */
	writer_done(w, slow);
	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	assert_int_equal(s.n, 2);
	assert_true(writer_checkpoint_of(b->root, 0) > id_unix_ms(quick));
	writer_close(&w);
}

static void a_delivery_during_the_sync_is_for_the_next_one(void **state)
{
	struct bench *b = *state;
	struct writer *w = begin(b);
	struct syncs s = {.w = w};

	writer_done(w, next(w, true));
	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	assert_true(writer_checkpoint_of(b->root, 0) <= id_unix_ms(s.during));
	s.w = NULL;
	writer_done(w, s.during);
	scratch_ok(writer_checkpoint(w, count_sync, &s, &e_));
	assert_int_equal(s.n, 2);
	assert_true(writer_checkpoint_of(b->root, 0) > id_unix_ms(s.during));
	writer_close(&w);
}

static void a_failed_sync_is_no_checkpoint(void **state)
{
	struct bench *b = *state;
	struct writer *w = begin(b);
	struct syncs s = {.rc = -1};
	uint64_t id = next(w, true), before = writer_checkpoint_of(b->root, 0);
	struct err e;

	writer_done(w, id);
	assert_int_equal(writer_checkpoint(w, count_sync, &s, &e), -1);
	assert_int_equal(writer_checkpoint_of(b->root, 0), before);
	writer_close(&w);
	/* closed, but not cleanly */
	assert_int_equal(dead(b, true, NULL), 1);
}

static void an_unknown_writer_has_no_checkpoint(void **state)
{
	struct bench *b = *state;

	assert_int_equal(writer_checkpoint_of(b->root, 7), 0);
	leave(b, "open", 1000, 2000);
	assert_int_equal(writer_checkpoint_of(b->root, 0), 1000);
	scratch_flip(&b->s, "store/writers/0", 30);
	assert_int_equal(writer_checkpoint_of(b->root, 0), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(ids_grow_also_within_a_millisecond),
		TEST(their_time_is_on_the_disk_before_them),
		TEST(two_writers_never_meet),
		TEST(threads_share_a_writer),
		TEST(a_number_that_ended_cleanly_is_taken_again),
		TEST(a_number_ahead_of_the_clock_is_not_taken),
		TEST(a_damaged_record_is_passed_over),
		TEST(after_an_unclean_end_recovery_comes_first),
		TEST(one_that_lives_is_not_dead),
		TEST(recovery_retires_a_damaged_number),
		TEST(recovery_looks_for_a_record_that_is_lost),
		TEST(a_lease_that_is_new_is_none_of_a_lost_record),
		TEST(records_that_were_exchanged_are_damaged),
		TEST(what_is_lost_or_damaged_is_told),
		TEST(a_checkpoint_is_for_deliveries),
		TEST(a_checkpoint_stops_before_what_still_runs),
		TEST(a_delivery_during_the_sync_is_for_the_next_one),
		TEST(a_failed_sync_is_no_checkpoint),
		TEST(an_unknown_writer_has_no_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
