/* SPDX-License-Identifier: ISC */
#include "store/idmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint64_t value_of(const struct idmap *m, uint64_t id)
{
	uint64_t value;

	assert_true(idmap_get(m, id, &value));
	return value;
}

static void an_empty_map_has_nothing(void **state)
{
	struct idmap m = {0};
	uint64_t value;

	(void)state;
	assert_false(idmap_get(&m, 1, &value));
	assert_false(idmap_get(&m, UINT64_MAX, &value));
	idmap_put(&m, 7, 1);
	assert_false(idmap_get(&m, 0, &value)); /* an empty cell is no answer */
	assert_false(idmap_get(&m, 8, &value));
	idmap_fini(&m);
	assert_false(idmap_get(&m, 7, &value));
}

static void the_last_value_stands(void **state)
{
	struct idmap m = {0};

	(void)state;
	idmap_put(&m, UINT64_MAX, 1);
	idmap_put(&m, UINT64_MAX, 2);
	assert_int_equal(value_of(&m, UINT64_MAX), 2);
	assert_int_equal(m.used, 1);
	idmap_fini(&m);
}

/* Ids of one writer, as they come: neighbours, and the same low bits for a long time. */
static void nothing_is_lost_while_it_grows(void **state)
{
	static const uint64_t steps[] = {1, 4096, UINT64_C(1) << 23, UINT64_C(1) << 44};
	uint64_t value;

	(void)state;
	for (size_t s = 0; s < countof(steps); s++) {
		struct idmap m = {0};

		for (uint64_t i = 1; i <= 10000; i++)
			idmap_put(&m, i * steps[s], i);
		assert_int_equal(m.used, 10000);
		for (uint64_t i = 1; i <= 10000; i++)
			assert_int_equal(value_of(&m, i * steps[s]), i);
		assert_false(idmap_get(&m, 10001 * steps[s], &value));
		idmap_fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(the_last_value_stands),
		cmocka_unit_test(nothing_is_lost_while_it_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
