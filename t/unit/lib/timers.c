/* SPDX-License-Identifier: ISC */
/* The heap against what a sorted list would say. */
#include "lib/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TIMERS = 200, TURNS = 20000 };

/* first_ms - by looking at every one; 0: none is set */
static uint64_t first_ms(const struct timer *x, size_t n)
{
	uint64_t first = 0;

	for (size_t i = 0; i < n; i++)
		if (timer_is_set(&x[i]) && (first == 0 || x[i].at_ms < first))
			first = x[i].at_ms;
	return first;
}

static void the_first_is_the_earliest(void **state UNUSED)
{
	struct timer x[TIMERS] = {0};
	struct timers t = {0};
	unsigned seed = 1;

	for (int turn = 0; turn < TURNS; turn++) {
		struct timer *one = &x[(unsigned)rand_r(&seed) % TIMERS];
		uint64_t want;

		if (rand_r(&seed) % 3 == 0)
			timers_unset(&t, one);
		else
			timers_set(&t, one, 1 + (uint64_t)rand_r(&seed) % 1000);
		want = first_ms(x, TIMERS);
		if (want == 0) {
			assert_null(timers_first(&t));
			continue;
		}
		assert_non_null(timers_first(&t));
		assert_int_equal(timers_first(&t)->at_ms, want);
	}
	timers_fini(&t);
}

static void they_come_in_order(void **state UNUSED)
{
	static const uint64_t at[] = {5, 1, 4, 1, 3, 9, 2};
	static const uint64_t want[] = {1, 1, 2, 3, 4, 5, 9};
	struct timer x[countof(at)] = {0};
	struct timers t = {0};

	for (size_t i = 0; i < countof(at); i++)
		timers_set(&t, &x[i], at[i]);
	for (size_t i = 0; i < countof(want); i++) {
		struct timer *first = timers_first(&t);

		assert_int_equal(first->at_ms, want[i]);
		timers_unset(&t, first);
		assert_false(timer_is_set(first));
	}
	assert_null(timers_first(&t));
	timers_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_the_earliest),
		cmocka_unit_test(they_come_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
