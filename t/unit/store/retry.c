/* SPDX-License-Identifier: ISC */
#include "store/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>

#include <cmocka.h>

#include "lib/conn.h"
#include "store/check.h"
#include "store/id.h"
#include "t/unit/store/scratch.h"
#include "t/unit/store/syscalls.h"

static const char letter[] = "Subject: x\r\n\r\nx\r\n.\r\n";

static const struct retry_key key = {UINT64_C(0x0123456789abcdef), 7};
static const struct retry_key other_key = {UINT64_C(0x0123456789abcdef), 8};
static const struct retry_key no_key;

enum { HOUR_MS = 3600 * 1000, SIZE = 17 };

struct fixture {
	struct scratch s;
	struct account alice, bob;
	uint64_t others; /* delivered by deliver_many() */
};

static void begin(struct fixture *x, const char *conf)
{
	scratch_begin_with(&x->s, "", conf);
	x->alice = scratch_account(&x->s, "alice@example.org");
	x->bob = scratch_account(&x->s, "bob@example.org");
}

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	begin(x, "lmtp { retry_window = 1h }");
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	scratch_end(&x->s);
	xfree(state);
	return 0;
}

static uint64_t hour_ago(void)
{
	return clock_unix_ms() - HOUR_MS;
}

/* attempt - one delivery to n accounts; it is still open */
static struct delivery *attempt(struct store *s, const struct account *a, size_t n,
				struct retry_key k, uint64_t since_ms)
{
	struct delivery *d = delivery_begin(s, STR("sender@example.com"), STR("unit"));
	struct delivery_totals totals = {SIZE, 14};

	for (size_t i = 0; i < n; i++)
		delivery_rcpt(d, &a[i], STR(""));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	delivery_set_retry_key(d, k, since_ms);
	scratch_ok(delivery_commit(d, &totals, &e_));
	return d;
}

/* deliver - to one account; gives back the id that the client is told */
static uint64_t deliver_since(struct fixture *x, const struct account *a,
			      struct retry_key k, uint64_t since_ms)
{
	struct delivery *d = attempt(x->s.store, a, 1, k, since_ms);
	uint64_t id = delivery_first_id(d, 0);
	struct err why;

	assert_int_equal(delivery_result(d, 0, &why), VERDICT_OK);
	if (id == 0)
		id = delivery_id(d);
	else
		assert_false(scratch_exists(&x->s, scratch_message(delivery_id(d)).s));
	delivery_end(&d);
	return id;
}

static uint64_t deliver(struct fixture *x, const struct account *a, struct retry_key k)
{
	return deliver_since(x, a, k, hour_ago());
}

static void remove_all(struct fixture *x, const struct account *a)
{
	struct maildrop *m;

	scratch_ok(maildrop_open(x->s.store, a, &m, &e_));
	for (size_t i = 0; i < maildrop_count(m); i++)
		maildrop_entry(m, i)->removed = true;
	scratch_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);
}

static void assert_sound(struct fixture *x)
{
	struct check_options o = {0};
	struct check_result r;

	scratch_ok(check_run(x->s.store, &o, &r, &e_));
	assert_int_equal(r.findings, 0);
}

/* ---- the key as text ------------------------------------------------------------------ */

static void a_key_is_32_digits(void **state UNUSED)
{
	struct retry_key back;

	assert_string_equal(retry_key_print(key).c, "0123456789abcdef0000000000000007");
	assert_true(retry_key_parse(str_of(retry_key_print(key).c), &back));
	assert_true(retry_key_eq(back, key));
	assert_false(retry_key_eq(back, other_key));
	assert_true(retry_key_is_set(back));
	assert_false(retry_key_is_set(no_key));
	assert_false(retry_key_parse(STR("0123456789abcdef000000000000000"), &back));
	assert_false(retry_key_parse(STR("0123456789abcdef00000000000000077"), &back));
	assert_false(retry_key_parse(STR("0123456789abcdef000000000000000g"), &back));
}

/* checkpoint_all - every id is older than the checkpoint */
static void checkpoint_all(struct fixture *x)
{
	usleep(2000);
	deliver(x, &x->bob, no_key);
	scratch_ok(store_checkpoint(x->s.store, &e_));
}

/* ---- one copy, or two ------------------------------------------------------------------- */

static void a_retry_gets_the_first_id(void **state)
{
	struct fixture *x = *state;
	uint64_t first = deliver(x, &x->alice, key);

	assert_int_equal(deliver(x, &x->alice, key), first);
	assert_int_equal(deliver(x, &x->alice, key), first);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
	assert_sound(x);
}

static void anything_else_is_another_message(void **state)
{
	struct fixture *x = *state;
	uint64_t first = deliver(x, &x->alice, key);

	assert_int_not_equal(deliver(x, &x->alice, other_key), first);
	assert_int_not_equal(deliver(x, &x->alice, no_key), first);
	assert_int_not_equal(deliver(x, &x->alice, no_key), first);
	assert_int_not_equal(deliver(x, &x->bob, key), first);
	/* older than it can be asked for */
	assert_int_not_equal(deliver_since(x, &x->alice, key, clock_unix_ms() + 1000),
			     first);
	/* not asked for at all */
	assert_int_not_equal(deliver_since(x, &x->alice, key, 0), first);
	assert_int_equal(scratch_count(&x->s, &x->alice), 6);
	assert_sound(x);
}

/* The reply for bob came through, or it was 4xx: he is not among the recipients of the
 * retry; or he is, since all replies were lost, but his line had failed. */
static void each_recipient_by_himself(void **state)
{
	struct fixture *x = *state;
	struct account both[2] = {x->alice, x->bob};
	uint64_t first = deliver(x, &x->alice, key);
	struct delivery *d = attempt(x->s.store, both, 2, key, hour_ago());
	struct message *m;

	assert_int_equal(delivery_first_id(d, 0), first);
	assert_int_equal(delivery_first_id(d, 1), 0);
	scratch_ok(message_open(x->s.store, 0, delivery_id(d), &m, &e_));
	assert_non_null(m);
	scratch_ok(message_slots(m, &e_));
	assert_int_equal(message_info(m)->slots[0].state, '-');
	assert_int_equal(message_info(m)->slots[1].state, '+');
	message_close(&m);
	delivery_end(&d);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
	assert_int_equal(scratch_count(&x->s, &x->bob), 1);
	assert_sound(x);
}

/* What the first copy takes is counted already. */
static void a_retry_is_known_before_the_quota_is_asked(void **state)
{
	struct fixture *x = *state;
	struct err why;
	bool may_be;

	x->alice.quota = SIZE - 1;
	x->alice.overdraft = 1;

	uint64_t first = deliver(x, &x->alice, key);

	assert_int_equal(deliver(x, &x->alice, key), first);

	struct delivery *d = attempt(x->s.store, &x->alice, 1, other_key, hour_ago());

	assert_int_equal(delivery_result(d, 0, &why), VERDICT_OVER_QUOTA);
	assert_int_equal(delivery_first_id(d, 0), 0);
	delivery_end(&d);

	scratch_ok(maildrop_may_be_retry(x->s.store, &x->alice, 0, hour_ago(), &may_be,
					 &e_));
	assert_true(may_be);
	scratch_ok(maildrop_may_be_retry(x->s.store, &x->alice, 4096, hour_ago(), &may_be,
					 &e_));
	assert_true(may_be);
	scratch_ok(maildrop_may_be_retry(x->s.store, &x->alice, 100000, hour_ago(),
					 &may_be, &e_));
	assert_false(may_be);
	scratch_ok(maildrop_may_be_retry(x->s.store, &x->alice, 0, clock_unix_ms() + 1000,
					 &may_be, &e_));
	assert_false(may_be);
	scratch_ok(
		maildrop_may_be_retry(x->s.store, &x->bob, 0, hour_ago(), &may_be, &e_));
	assert_false(may_be);
}

struct racer {
	struct fixture *x;
	uint64_t told;
	pthread_t thread;
};

static void *race(void *ctx)
{
	struct racer *r = ctx;

	r->told = deliver(r->x, &r->x->alice, key);
	return NULL;
}

static void of_attempts_at_once_one_is_first(void **state)
{
	struct fixture *x = *state;
	struct racer r[8];

	for (size_t i = 0; i < countof(r); i++) {
		r[i].x = x;
		assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
	}
	for (size_t i = 0; i < countof(r); i++)
		pthread_join(r[i].thread, NULL);
	for (size_t i = 1; i < countof(r); i++)
		assert_int_equal(r[i].told, r[0].told);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
	assert_sound(x);
}

/* A release that a power cut undoes would look like a lost line. */
static void what_a_retry_lets_go_is_durable(void **state)
{
	struct fixture *x = *state;
	struct account both[2] = {x->alice, x->bob};
	struct delivery *d;

	deliver(x, &x->alice, key);
	syscalls_forget();
	deliver(x, &x->alice, key);
	assert_string_equal(syscalls_seen, "FoUUF");
	syscalls_forget();
	d = attempt(x->s.store, both, 2, key, hour_ago());
	assert_string_equal(syscalls_seen, "FoF");
	delivery_end(&d);
}

/* ---- how far back ------------------------------------------------------------------------ */

static void deliver_many(struct fixture *x, const struct account *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		deliver(x, a, (struct retry_key){100, x->others++});
}

/* A line is about 105 octets long here: 8 KB are read of the end in any case, 64 KB more at
 * most.  Beyond is a second copy. */
static void looks_back_as_far_as_is_written_down(void **state)
{
	static const struct {
		size_t later;
		bool known;
	} cases[] = {{30, true}, {80, true}, {400, true}, {900, false}};
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(cases); i++) {
		struct retry_key k = {200, i};
		uint64_t first = deliver(x, &x->alice, k);

		deliver_many(x, &x->alice, cases[i].later);
		assert_int_equal(deliver(x, &x->alice, k) == first, cases[i].known);
	}
	assert_sound(x);
}

/* ---- after the client removed it ------------------------------------------------------------ */

static void is_known_after_it_was_removed(void **state)
{
	struct fixture *x = *state;
	uint64_t first = deliver(x, &x->alice, key);

	remove_all(x, &x->alice);
	assert_int_equal(deliver(x, &x->alice, key), first);
	assert_int_equal(scratch_count(&x->s, &x->alice), 0);
	assert_sound(x);
}

static uint64_t maildrop_octets(struct fixture *x)
{
	struct scratch_path p =
		scratch_place("accounts", "alice@example.org", "maildrop");
	struct stat st;

	assert_int_equal(stat(scratch_path(&x->s, p.s).s, &st), 0);
	return (uint64_t)st.st_size;
}

static void is_known_after_compaction(void **state)
{
	struct fixture *x = *state;
	uint64_t first = deliver(x, &x->alice, key);

	for (int i = 0; i < 3; i++) {
		for (int n = 0; n < 100; n++)
			deliver(x, &x->alice, no_key);
		checkpoint_all(x);
		remove_all(x, &x->alice);
		assert_true(maildrop_octets(x) < 200);
		assert_int_equal(deliver(x, &x->alice, key), first);
		assert_int_equal(scratch_count(&x->s, &x->alice), 0);
	}
	assert_sound(x);
}

/* count - lines that hold this text */
static size_t count(struct fixture *x, const char *what)
{
	struct scratch_path p =
		scratch_place("accounts", "alice@example.org", "maildrop");
	struct buf text;
	size_t n = 0;

	buf_init(&text, 1 << 20);
	scratch_read(&x->s, p.s, &text);
	for (const char *at = buf_cstr(&text); (at = strstr(at, what)) != NULL; at++)
		n++;
	buf_fini(&text);
	return n;
}

static void compaction_keeps_the_last_ones(void **state)
{
	struct fixture *x = *state;

	deliver_many(x, &x->alice, 400);
	checkpoint_all(x);
	remove_all(x, &x->alice);
	assert_int_equal(count(x, " 0000000000000064"), 256);
	assert_int_equal(count(x, " 00000000000000640000000000000000 "), 0);
	assert_int_equal(count(x, " 0000000000000064000000000000018f "), 1);
	assert_sound(x);
}

/* Control: without a window nothing is kept, and nothing is known. */
static void compaction_keeps_nothing_without_a_window(void **state UNUSED)
{
	struct fixture x = {0};

	begin(&x, "lmtp { retry_window = 0 }");
	deliver_many(&x, &x.alice, 100);
	checkpoint_all(&x);
	remove_all(&x, &x.alice);
	assert_int_equal(count(&x, " 0000000000000064"), 0);
	scratch_end(&x.s);
}

/* Removed on a full disk: an octet of its line is all that changed. */
static void is_known_after_it_was_dropped_in_place(void **state)
{
	struct fixture *x = *state;
	struct scratch_path p =
		scratch_place("accounts", "alice@example.org", "maildrop");
	uint64_t first = deliver(x, &x->alice, key);
	struct buf text;
	char *at;

	buf_init(&text, 4096);
	scratch_read(&x->s, p.s, &text);
	at = strstr(text.p, "\n1 + ");
	assert_non_null(at);
	at[3] = 'x';
	scratch_write(&x->s, p.s, buf_str(&text));
	buf_fini(&text);
	assert_int_equal(deliver(x, &x->alice, key), first);
}

/* ---- crashes and damage ----------------------------------------------------------------------- */

static void attempt_and_die(struct scratch *s, void *ctx)
{
	struct account *a = ctx;
	struct delivery *d = attempt(s->store, a, 2, key, hour_ago());

	(void)d; /* no end: the process dies with it */
}

static struct store_recovery recover(struct fixture *x)
{
	struct store_recovery r;

	scratch_ok(store_open(x->s.set, &x->s.store, &e_));
	scratch_ok(store_recover(x->s.store, &r, &e_));
	assert_int_equal(r.failed, 0);
	return r;
}

/* kill -9 between the line and the reply */
static void is_known_after_a_kill(void **state)
{
	struct fixture *x = *state;
	struct account both[2] = {x->alice, x->bob};

	store_close(&x->s.store);
	scratch_die(&x->s, attempt_and_die, both);
	assert_int_equal(recover(x).added, 0);
	deliver(x, &x->alice, key);
	deliver(x, &x->bob, key);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
	assert_int_equal(scratch_count(&x->s, &x->bob), 1);
	assert_sound(x);
}

/* A power cut took the lines: they come back with their keys. */
static void is_known_after_a_power_cut(void **state)
{
	struct fixture *x = *state;
	struct account both[2] = {x->alice, x->bob};

	store_close(&x->s.store);
	scratch_die(&x->s, attempt_and_die, both);
	scratch_lose(&x->s, "alice@example.org", "maildrop");
	scratch_forget_mount(&x->s);
	assert_int_equal(recover(x).added, 1);
	deliver(x, &x->alice, key);
	deliver(x, &x->bob, key);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
	assert_int_equal(scratch_count(&x->s, &x->bob), 1);
	assert_sound(x);
}

static void attempt_twice_and_die(struct scratch *s, void *ctx)
{
	struct account *a = ctx;

	for (int i = 0; i < 2; i++)
		attempt(s->store, a, 1, key, 0);
}

/* The cut took the line of the first attempt, and brought back the slot that the second
 * one had let go. */
static void recovery_makes_no_second_copy_of_a_retry(void **state)
{
	struct fixture *x = *state;

	store_close(&x->s.store);
	scratch_die(&x->s, attempt_twice_and_die, &x->alice);
	scratch_lose(&x->s, "alice@example.org", "maildrop");
	scratch_forget_mount(&x->s);
	struct store_recovery r = recover(x);

	assert_int_equal(r.messages, 2);
	assert_int_equal(r.added, 1);
	assert_int_equal(r.removed, 1);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
	assert_sound(x);
}

/* The same by a process that is dead when the retry comes to another one, and before
 * recovery has looked at what it left. */
static void a_retry_that_overtakes_recovery_is_the_only_copy(void **state)
{
	struct fixture *x = *state;

	store_close(&x->s.store);
	scratch_die(&x->s, attempt_twice_and_die, &x->alice);
	scratch_lose(&x->s, "alice@example.org", "maildrop");
	scratch_forget_mount(&x->s);
	scratch_ok(store_open(x->s.set, &x->s.store, &e_));
	deliver(x, &x->alice, key);
	store_close(&x->s.store);
	recover(x);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
	assert_sound(x);
}

static void repair(struct fixture *x)
{
	struct check_options o = {.repair = true};
	struct check_result r;

	scratch_ok(check_run(x->s.store, &o, &r, &e_));
	assert_true(r.findings > 0);
	assert_sound(x);
}

static void is_known_after_repair(void **state)
{
	struct fixture *x = *state;
	struct scratch_path p =
		scratch_place("accounts", "alice@example.org", "maildrop");
	uint64_t lost = deliver(x, &x->alice, key);
	uint64_t kept = deliver(x, &x->alice, other_key);

	checkpoint_all(x);
	scratch_flip(&x->s, p.s, 60); /* in the line of the first */
	repair(x);
	assert_int_equal(scratch_count(&x->s, &x->alice), 2);
	assert_int_equal(deliver(x, &x->alice, other_key), kept);
	assert_int_equal(deliver(x, &x->alice, key), lost);
	assert_int_equal(scratch_count(&x->s, &x->alice), 2);
}

/* What is damaged proves nothing. */
static void a_damaged_line_is_no_evidence(void **state)
{
	struct fixture *x = *state;
	struct scratch_path p =
		scratch_place("accounts", "alice@example.org", "maildrop");
	uint64_t first = deliver(x, &x->alice, key);

	deliver(x, &x->alice, other_key);
	scratch_flip(&x->s, p.s, 60);
	assert_int_not_equal(deliver(x, &x->alice, key), first);
}

#define with_fixture(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_32_digits),
		with_fixture(a_retry_gets_the_first_id),
		with_fixture(anything_else_is_another_message),
		with_fixture(each_recipient_by_himself),
		with_fixture(a_retry_is_known_before_the_quota_is_asked),
		with_fixture(of_attempts_at_once_one_is_first),
		with_fixture(what_a_retry_lets_go_is_durable),
		with_fixture(looks_back_as_far_as_is_written_down),
		with_fixture(is_known_after_it_was_removed),
		with_fixture(is_known_after_compaction),
		with_fixture(compaction_keeps_the_last_ones),
		cmocka_unit_test(compaction_keeps_nothing_without_a_window),
		with_fixture(is_known_after_it_was_dropped_in_place),
		with_fixture(is_known_after_a_kill),
		with_fixture(is_known_after_a_power_cut),
		with_fixture(recovery_makes_no_second_copy_of_a_retry),
		with_fixture(a_retry_that_overtakes_recovery_is_the_only_copy),
		with_fixture(is_known_after_repair),
		with_fixture(a_damaged_line_is_no_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
