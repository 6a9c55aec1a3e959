/* SPDX-License-Identifier: ISC */
#include "filter/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { RATE = 60000, MINUTE = 60000 }; /* one step a millisecond */

static void who_has_used_it_up_waits(void **state UNUSED)
{
	struct budget *b = budget_new(RATE);
	struct str alice = STR("alice@example.org"), bob = STR("bob@example.org");

	assert_true(budget_left(b, alice, 1000));
	budget_spend(b, alice, RATE - 1, 1000);
	assert_true(budget_left(b, alice, 1000));
	budget_spend(b, alice, 1, 1000);
	assert_false(budget_left(b, alice, 1000));
	assert_true(budget_left(b, bob, 1000));
	assert_true(budget_left(b, alice, 1001));
	budget_free(&b);
	assert_null(b);
}

static void it_empties_as_time_goes_by(void **state UNUSED)
{
	struct budget *b = budget_new(RATE);
	struct str alice = STR("alice@example.org");

	budget_spend(b, alice, RATE + 500, 0);
	assert_false(budget_left(b, alice, 500));
	assert_true(budget_left(b, alice, 501));
	/* Half of it has gone: there is room for half of it. */
	budget_spend(b, alice, RATE / 2 - 1, MINUTE / 2 + 500);
	assert_true(budget_left(b, alice, MINUTE / 2 + 500));
	budget_spend(b, alice, 1, MINUTE / 2 + 500);
	assert_false(budget_left(b, alice, MINUTE / 2 + 500));
	budget_free(&b);
}

/* Nobody is shut out for long, whatever one evaluation took; looking often changes nothing. */
static void what_is_owed_has_an_end(void **state UNUSED)
{
	struct budget *b = budget_new(RATE);
	struct str alice = STR("alice@example.org");

	budget_spend(b, alice, UINT64_MAX / 2, 0);
	for (uint64_t ms = 0; ms < MINUTE; ms += 7)
		assert_false(budget_left(b, alice, ms));
	assert_true(budget_left(b, alice, MINUTE + 1));
	budget_free(&b);
}

static void slow_rates_and_large_ones(void **state UNUSED)
{
	struct budget *b = budget_new(3);
	struct str alice = STR("alice@example.org");

	budget_spend(b, alice, 3, 0);
	for (uint64_t ms = 0; ms < MINUTE / 3; ms += 100)
		assert_false(budget_left(b, alice, ms));
	assert_true(budget_left(b, alice, MINUTE / 3 + 100));
	budget_free(&b);
	b = budget_new(UINT64_C(1000000000000));
	budget_spend(b, alice, UINT64_C(1500000000000), 0);
	assert_false(budget_left(b, alice, MINUTE / 2));
	assert_true(budget_left(b, alice, MINUTE / 2 + 1));
	budget_free(&b);
}

static void without_a_budget_nobody_waits(void **state UNUSED)
{
	struct budget *b = budget_new(0);

	budget_spend(b, STR("a"), UINT64_MAX, 0);
	assert_true(budget_left(b, STR("a"), 0));
	budget_free(&b);
}

/* A clock that stood still, or was asked for before another thread's. */
static void time_that_goes_back_gives_nothing(void **state UNUSED)
{
	struct budget *b = budget_new(RATE);

	budget_spend(b, STR("a"), RATE, 5000);
	assert_false(budget_left(b, STR("a"), 4000));
	assert_false(budget_left(b, STR("a"), 5000));
	budget_free(&b);
}

static void many_accounts_do_not_push_out_the_worst(void **state UNUSED)
{
	struct budget *b = budget_new(RATE);

	budget_spend(b, STR("worst"), 2 * RATE, 0);
	for (unsigned i = 0; i < 20 * BUDGET_ACCOUNTS; i++) {
		char name[32];
		int n = snprintf(name, sizeof name, "%u", i);

		budget_spend(b, (struct str){name, (size_t)n}, 10, 0);
	}
	assert_false(budget_left(b, STR("worst"), 0));
	budget_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_used_it_up_waits),
		cmocka_unit_test(it_empties_as_time_goes_by),
		cmocka_unit_test(what_is_owed_has_an_end),
		cmocka_unit_test(slow_rates_and_large_ones),
		cmocka_unit_test(without_a_budget_nobody_waits),
		cmocka_unit_test(time_that_goes_back_gives_nothing),
		cmocka_unit_test(many_accounts_do_not_push_out_the_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
