/* SPDX-License-Identifier: ISC */
/* The limiter on a clock that the test owns. */
#include "lib/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BEGIN_MS = 5000000 };

/* run - uses `octets` in pieces, waits as it is told, and returns the milliseconds */
static uint64_t run(uint64_t rate, uint64_t octets, uint64_t piece)
{
	uint64_t now = BEGIN_MS;
	struct pace p;

	pace_begin(&p, rate, now);
	for (uint64_t done = 0; done < octets; done += piece)
		now += pace_used(&p, piece, now);
	return now - BEGIN_MS;
}

static void a_rate_is_kept_whatever_the_pieces(void **state)
{
	static const struct {
		uint64_t rate, octets, piece, ms;
	} rows[] = {
		/* clang-format off */
		{1000,       1000,       1,     1000},
		{1000,       1000,       1000,  1000},
		{10 << 20,   100 << 20,  65536, 10000},
		{10 << 20,   100 << 20,  777,   10000},
		{3,          10,         1,     3334},
		{UINT64_C(1) << 40, UINT64_C(1) << 34, 65536, 16},
		{7,          1 << 20,    1 << 20, 149796572},
		{UINT64_MAX, 1 << 30,    65536, 0},
		{0,          1 << 30,    65536, 0},
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++)
		assert_in_range(run(rows[i].rate, rows[i].octets, rows[i].piece),
				rows[i].ms, rows[i].ms + 1);
}

static void a_pause_is_credit_for_a_moment_only(void **state)
{
	struct pace p;

	(void)state;
	pace_begin(&p, 1000, BEGIN_MS);
	assert_int_equal(pace_used(&p, 100, BEGIN_MS), 100);
	assert_int_equal(pace_used(&p, 0, BEGIN_MS + 3600000), 0);
	assert_int_equal(pace_used(&p, PACE_CREDIT_MS, BEGIN_MS + 3600000), 0);
	assert_int_equal(pace_used(&p, 500, BEGIN_MS + 3600000), 500);
	assert_int_equal(pace_wait_ms(&p, BEGIN_MS + 3600200), 300);
	assert_int_equal(pace_wait_ms(&p, BEGIN_MS + 3600500), 0);
	assert_int_equal(pace_wait_ms(&p, BEGIN_MS + 9000000), 0);
}

/* A process that was stopped has time to catch up for nothing. */
static void what_is_owed_stays_owed_while_the_clock_stands(void **state)
{
	struct pace p;

	(void)state;
	pace_begin(&p, 1000, 0);
	assert_int_equal(pace_used(&p, 1000, 0), 1000);
	assert_int_equal(pace_used(&p, 1000, 0), 2000);
	assert_int_equal(pace_wait_ms(&p, 0), 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_kept_whatever_the_pieces),
		cmocka_unit_test(a_pause_is_credit_for_a_moment_only),
		cmocka_unit_test(what_is_owed_stays_owed_while_the_clock_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
