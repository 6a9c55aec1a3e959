/* SPDX-License-Identifier: ISC */
/* The cache on a clock that the test owns. */
#include "authd/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct cache_value value = {.uid = 7, .version = 9};

static bool has(struct cache *c, struct str name, struct str password, uint64_t now)
{
	struct cache_value v = {0};
	bool found = cache_find(c, name, password, now, &v);

	if (found)
		assert_true(v.uid == 7 && v.version == 9);
	return found;
}

static void what_was_right_is_known_until_its_time(void **state)
{
	struct cache *c = cache_new(10);
	struct cache_state s;

	(void)state;
	assert_false(has(c, STR("alice"), STR("a secret"), 0));
	cache_put(c, STR("alice"), STR("a secret"), &value, 0, 1000);
	assert_true(has(c, STR("alice"), STR("a secret"), 0));
	assert_true(has(c, STR("alice"), STR("a secret"), 999));
	assert_false(has(c, STR("alice"), STR("a secret"), 1000));
	assert_false(has(c, STR("alice"), STR("A secret"), 1));
	assert_false(has(c, STR("alic"), STR("ea secret"), 1));
	assert_false(has(c, STR("alice\0a"), STR(" secret"), 1));
	assert_false(has(c, STR(""), STR("alicea secret"), 1));
	assert_false(has(c, STR("alicea secret"), STR(""), 1));
	cache_put(c, STR("alice"), STR("a secret"), &value, 2000, 3000);
	assert_true(has(c, STR("alice"), STR("a secret"), 2500));
	cache_get_state(c, &s);
	assert_int_equal(s.entries, 1);
	assert_int_equal(s.hits, 3);
	assert_int_equal(s.misses, 7);
	cache_free(&c);
	assert_null(c);
}

static void it_is_bounded_and_the_oldest_goes(void **state)
{
	struct cache *c = cache_new(1000);
	struct cache_state s;
	char name[32];
	size_t found = 0;

	(void)state;
	cache_put(c, STR("alice"), STR("p"), &value, 1, 1000000);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "user%u", i);
		cache_put(c, str_of(name), STR("p"), &value, 2 + i, 1000000);
		/* Who comes often stays. */
		assert_true(has(c, STR("alice"), STR("p"), 2 + i));
	}
	cache_get_state(c, &s);
	assert_int_equal(s.entries, 1000);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "user%u", i);
		found += has(c, str_of(name), STR("p"), 20000);
	}
	assert_int_equal(found, 999);
	cache_free(&c);
}

/* Of one set of eight for each, 427 of these would be driven out. */
static void whom_it_has_room_for_is_hardly_ever_driven_out(void **state)
{
	enum { ENTRIES = 8000, USERS = ENTRIES * 8 / 10, MANY = 32 };
	struct cache *c = cache_new(ENTRIES);
	char name[32];
	size_t found = 0;

	(void)state;
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name, sizeof name, "user%u", i);
		cache_put(c, str_of(name), STR("p"), &value, 1 + i, 1000000);
	}
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name, sizeof name, "user%u", i);
		found += has(c, str_of(name), STR("p"), USERS + 1);
	}
	assert_true(found > USERS - MANY);
	cache_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_right_is_known_until_its_time),
		cmocka_unit_test(it_is_bounded_and_the_oldest_goes),
		cmocka_unit_test(whom_it_has_room_for_is_hardly_ever_driven_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
