/* SPDX-License-Identifier: ISC */
/* The limiter on a clock that the test owns. */
#include "authd/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { BEGIN_MS = 100000000, USER_MS = 3000 };

static struct limiter_who who(const char *address, const char *user)
{
	struct limiter_who w = {.has_network = *address != '\0', .user = str_of(user)};

	if (w.has_network) {
		struct network_address a;

		assert_true(network_parse_address(str_of(address), &a));
		w.network = network_around(&a);
	}
	return w;
}

/* try_one - judged in no time; UINT32_MAX: it was not */
static uint32_t try_one(struct limiter *l, const char *address, const char *user, bool ok,
			uint64_t now)
{
	struct limiter_who w = who(address, user);
	struct limiter_turn t;

	return limiter_begin(l, &w, now, &t) ? limiter_end(l, &w, &t, ok, now)
					     : UINT32_MAX;
}

static void the_delay_grows_and_has_an_end(void **state)
{
	static const uint32_t waits[] = {0,   0,   0,    0,    0,    100,   200,
					 400, 800, 1600, 3200, 6400, 10000, 10000};
	struct limiter *l = limiter_new(USER_MS);
	uint64_t now = BEGIN_MS;

	(void)state;
	for (size_t i = 0; i < countof(waits); i++) {
		char user[16];

		snprintf(user, sizeof user, "user%zu", i);
		/* Each comes when the one before has its answer; none is forgiven. */
		uint32_t wait = try_one(l, "192.0.2.7", user, false, now);

		print_message("# %zu: %u\n", i, wait);
		if (i < 10)
			assert_int_equal(wait, waits[i]);
		assert_true(wait <= LIMITER_NETWORK_MS);
		now += wait;
	}
	/* Another network has nothing to do with it. */
	assert_int_equal(try_one(l, "192.0.3.7", "x", false, now), 0);
	limiter_free(&l);
	assert_null(l);
}

/* What is known after ten minutes, by one after the other or a thousand at once? */
static void many_at_once_learn_no_more_than_one(void **state)
{
	enum { SPAN_MS = 600000, STEP_MS = 10 };
	struct limiter *l = limiter_new(USER_MS);
	size_t judged = 0, told = 0;

	(void)state;
	for (uint64_t at = 0; at < SPAN_MS; at += STEP_MS)
		for (int k = 0; k < 10; k++) {
			uint32_t wait = try_one(l, "192.0.2.7", "", false, BEGIN_MS + at);

			if (wait == UINT32_MAX)
				continue;
			judged++;
			told += at + wait <= SPAN_MS;
		}
	print_message("# judged %zu, told %zu\n", judged, told);
	assert_true(judged < 120 && told <= judged && told > 20);
	limiter_free(&l);
}

static void a_right_one_waits_for_its_turn_too(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	uint32_t wait;

	(void)state;
	for (int i = 0; i < 9; i++)
		try_one(l, "192.0.2.7", "", false, BEGIN_MS);
	wait = try_one(l, "192.0.2.8", "alice", true, BEGIN_MS);
	assert_int_equal(wait, 100 + 200 + 400 + 800);
	limiter_free(&l);
}

static void a_login_forgives_nothing_but_itself(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	uint64_t now = BEGIN_MS;

	(void)state;
	/* An attacker with an account of his own. */
	for (int i = 0; i < 40; i++) {
		now += try_one(l, "192.0.2.7", "", false, now);
		now += try_one(l, "192.0.2.7", "mallory", true, now);
	}
	assert_true(now - BEGIN_MS > 100000);
	/* Nobody is slowed down by logins alone. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(try_one(l, "198.51.100.7", "alice", true, now), 0);
	limiter_free(&l);
}

static void failures_are_forgiven_with_time(void **state)
{
	struct limiter *l = limiter_new(USER_MS);

	(void)state;
	for (int i = 0; i < 8; i++)
		try_one(l, "192.0.2.7", "", false, BEGIN_MS);
	assert_int_equal(
		try_one(l, "192.0.2.7", "", false, BEGIN_MS + 20 * LIMITER_FORGIVE_MS),
		0);
	limiter_free(&l);
}

/* Threads read the clock, and then wait for the lock: an older time may come after. */
static void a_late_thread_forgives_nothing(void **state)
{
	struct limiter *l = limiter_new(USER_MS);

	(void)state;
	for (int i = 0; i < 8; i++)
		try_one(l, "192.0.2.7", "", false, BEGIN_MS);
	assert_in_range(try_one(l, "192.0.2.7", "", false, BEGIN_MS - 1), 1500, 1600);
	limiter_free(&l);
}

static void strangers_do_not_keep_the_owner_out(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	uint64_t now = BEGIN_MS;
	char address[32];

	(void)state;
	assert_int_equal(try_one(l, "198.51.100.7", "alice", true, now), 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(address, sizeof address, "10.%d.%d.1", i / 256, i % 256);
		try_one(l, address, "alice", false, now);
	}
	/* From where she was before, at once; from elsewhere, soon; nobody else suffers. */
	assert_int_equal(try_one(l, "198.51.100.99", "alice", true, now), 0);
	assert_int_equal(try_one(l, "203.0.113.1", "alice", true, now), USER_MS);
	assert_int_equal(try_one(l, "203.0.113.1", "alice", true, now), 0);
	assert_int_equal(try_one(l, "203.0.113.2", "bob", true, now), 0);
	limiter_free(&l);
}

static void what_has_no_network_waits_for_no_line(void **state)
{
	struct limiter *l = limiter_new(USER_MS);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(try_one(l, "", "", false, BEGIN_MS), 0);
	limiter_free(&l);
}

/* A web mail program on this machine, where the owner and a stranger look the same. */
static void without_a_network_a_user_has_his_own_count(void **state)
{
	static const uint32_t waits[] = {0,   0,   0,   0,    0,       100,
					 200, 400, 800, 1600, USER_MS, USER_MS};
	struct limiter *l = limiter_new(USER_MS);
	uint64_t now = BEGIN_MS;

	(void)state;
	for (size_t i = 0; i < countof(waits); i++)
		assert_int_equal(try_one(l, "", "alice", false, now), waits[i]);
	/* The owner waits, too, and comes in; nobody else does. */
	assert_int_equal(try_one(l, "", "alice", true, now), USER_MS);
	for (int i = 0; i < 1000; i++) {
		char user[16];

		snprintf(user, sizeof user, "user%d", i);
		assert_int_equal(try_one(l, "", user, i % 2, now), 0);
	}
	limiter_free(&l);
}

/* Or who does not get an answer soon would know that it is a no, and try the next one. */
static void without_a_network_a_right_one_waits_as_long_as_a_wrong_one(void **state)
{
	(void)state;
	for (int before = 0; before < 20; before++) {
		uint32_t wait[2];

		for (int ok = 0; ok < 2; ok++) {
			struct limiter *l = limiter_new(USER_MS);

			for (int i = 0; i < before; i++)
				try_one(l, "", "alice", false, BEGIN_MS);
			wait[ok] = try_one(l, "", "alice", ok, BEGIN_MS);
			limiter_free(&l);
		}
		print_message("# after %d: %u\n", before, wait[false]);
		assert_int_equal(wait[true], wait[false]);
	}
}

static void a_thousand_strangers_are_forgotten_as_soon_as_a_few(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	uint64_t now = BEGIN_MS;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(try_one(l, "", "alice", false, now) <= USER_MS);
	assert_int_equal(try_one(l, "", "alice", true, now), USER_MS);
	now += (LIMITER_USER_MOST - LIMITER_FREE + 1) * LIMITER_FORGIVE_MS;
	assert_int_equal(try_one(l, "", "alice", true, now), 0);
	limiter_free(&l);
}

static void users_count_only_where_the_settings_say(void **state)
{
	struct limiter *l = limiter_new(0);

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(try_one(l, "", "alice", false, BEGIN_MS), 0);
		assert_int_equal(limiter_look_up(l, STR("alice"), BEGIN_MS), 0);
	}
	limiter_free(&l);
}

static void look_ups_are_counted_by_user(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	struct limiter_state s;
	uint64_t now = BEGIN_MS;

	(void)state;
	for (int i = 0; i < LIMITER_LOOK_UPS; i++)
		assert_int_equal(limiter_look_up(l, STR("alice"), now), 0);
	assert_int_equal(limiter_look_up(l, STR("alice"), now), LIMITER_FIRST_MS);
	for (int i = 0; i < 1000; i++)
		assert_true(limiter_look_up(l, STR("alice"), now) <= USER_MS);
	assert_int_equal(limiter_look_up(l, STR("alice"), now), USER_MS);
	/* They are no failures, and slow nobody else down, nor her passwords. */
	assert_int_equal(limiter_look_up(l, STR("bob"), now), 0);
	assert_int_equal(try_one(l, "", "alice", false, now), 0);
	limiter_get_state(l, now, &s);
	assert_int_equal(s.entries, 1);
	assert_int_equal(s.refused_hour, 1);
	now += 12 * LIMITER_LOOK_UP_FORGIVE_MS;
	assert_int_equal(limiter_look_up(l, STR("alice"), now), 0);
	limiter_free(&l);
}

static void what_was_not_judged_does_not_count(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	struct limiter_who w = who("192.0.2.7", "alice");
	struct limiter_turn t;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_true(limiter_begin(l, &w, BEGIN_MS, &t));
		limiter_undo(l, &w, BEGIN_MS);
	}
	assert_int_equal(try_one(l, "192.0.2.7", "alice", false, BEGIN_MS), 0);
	limiter_free(&l);
}

static void the_table_is_bounded(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	struct limiter_state s;
	char address[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(address, sizeof address, "10.%d.%d.1", i / 256 % 256, i % 256);
		try_one(l, address, address, false, BEGIN_MS + (uint64_t)i);
	}
	limiter_get_state(l, BEGIN_MS + 100000, &s);
	assert_true(s.entries > LIMITER_ENTRIES / 2 && s.entries <= LIMITER_ENTRIES);
	assert_true(s.refused_hour == 100000);
	limiter_free(&l);
}

static void the_worst_are_named(void **state)
{
	struct limiter *l = limiter_new(USER_MS);
	struct limiter_state s;
	char address[32];

	(void)state;
	for (int k = 1; k <= 8; k++)
		for (int i = 0; i < 5 + k; i++) {
			snprintf(address, sizeof address, "192.0.%d.1", k);
			try_one(l, address, "", false, BEGIN_MS);
		}
	limiter_get_state(l, BEGIN_MS, &s);
	assert_int_equal(s.n_worst, LIMITER_WORST);
	assert_string_equal(s.worst[0].network, "192.0.8.0/24");
	assert_true(s.worst[0].failures >= s.worst[1].failures);
	assert_string_equal(s.worst[4].network, "192.0.4.0/24");
	assert_int_equal(s.entries, 8);
	assert_int_equal(s.refused_minute, s.refused_hour);
	limiter_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_delay_grows_and_has_an_end),
		cmocka_unit_test(many_at_once_learn_no_more_than_one),
		cmocka_unit_test(a_right_one_waits_for_its_turn_too),
		cmocka_unit_test(a_login_forgives_nothing_but_itself),
		cmocka_unit_test(failures_are_forgiven_with_time),
		cmocka_unit_test(a_late_thread_forgives_nothing),
		cmocka_unit_test(strangers_do_not_keep_the_owner_out),
		cmocka_unit_test(what_has_no_network_waits_for_no_line),
		cmocka_unit_test(without_a_network_a_user_has_his_own_count),
		cmocka_unit_test(
			without_a_network_a_right_one_waits_as_long_as_a_wrong_one),
		cmocka_unit_test(a_thousand_strangers_are_forgotten_as_soon_as_a_few),
		cmocka_unit_test(users_count_only_where_the_settings_say),
		cmocka_unit_test(look_ups_are_counted_by_user),
		cmocka_unit_test(what_was_not_judged_does_not_count),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(the_worst_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
