/* SPDX-License-Identifier: ISC */
#include "dispatch/backoff.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void pauses_double_up_to_a_limit(void **state UNUSED)
{
	static const uint32_t want[] = {100,  200,   400,   800,   1600, 3200,
					6400, 12800, 25600, 30000, 30000};
	struct backoff b = {0};

	for (size_t i = 0; i < countof(want); i++)
		assert_int_equal(backoff_next(&b, 10), want[i]);
}

static void a_good_run_starts_over(void **state UNUSED)
{
	struct backoff b = {0};

	backoff_next(&b, 0);
	assert_int_equal(backoff_next(&b, BACKOFF_STABLE_MS - 1), 200);
	assert_int_equal(backoff_next(&b, BACKOFF_STABLE_MS), 100);
	assert_int_equal(backoff_next(&b, 0), 200);
}

static void counting_for_ever_stays_at_the_limit(void **state UNUSED)
{
	struct backoff b = {.failures = UINT32_MAX - 1};

	assert_int_equal(backoff_next(&b, 0), BACKOFF_MAX_MS);
	assert_int_equal(backoff_next(&b, 0), BACKOFF_MAX_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_a_limit),
		cmocka_unit_test(a_good_run_starts_over),
		cmocka_unit_test(counting_for_ever_stays_at_the_limit),
	};

	return cmocka_run_group_tests_name("dispatch/backoff", tests, NULL, NULL);
}
