/* SPDX-License-Identifier: ISC */
#include "lib/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum crowd_verdict enter(struct crowd *c, const char *address)
{
	size_t place;

	return crowd_enter(c, str_of(address), &place);
}

static void each_limit_holds(void **state UNUSED)
{
	struct crowd *c = crowd_new(&(struct crowd_limits){6, 2, 3});

	assert_int_equal(enter(c, "192.0.2.1"), CROWD_IN);
	assert_int_equal(enter(c, "192.0.2.1"), CROWD_IN);
	assert_int_equal(enter(c, "192.0.2.1"), CROWD_ADDRESS);
	assert_int_equal(enter(c, "192.0.2.255"), CROWD_IN);
	assert_int_equal(enter(c, "192.0.2.3"), CROWD_NETWORK);
	assert_int_equal(enter(c, "192.0.3.1"), CROWD_IN);
	assert_int_equal(enter(c, "2001:db8::1"), CROWD_IN);
	assert_int_equal(enter(c, ""), CROWD_IN);
	assert_int_equal(enter(c, ""), CROWD_FULL);
	assert_int_equal(enter(c, "198.51.100.1"), CROWD_FULL);
	crowd_free(&c);
	assert_null(c);
}

static void ipv6_networks_are_of_64_bits(void **state UNUSED)
{
	struct crowd *c = crowd_new(&(struct crowd_limits){10, 1, 2});

	assert_int_equal(enter(c, "2001:db8:0:1::1"), CROWD_IN);
	assert_int_equal(enter(c, "2001:db8:0:1::1"), CROWD_ADDRESS);
	assert_int_equal(enter(c, "2001:DB8:0:1:ffff:ffff:ffff:ffff"), CROWD_IN);
	assert_int_equal(enter(c, "2001:db8:0:1::2"), CROWD_NETWORK);
	assert_int_equal(enter(c, "2001:db8:0:2::2"), CROWD_IN);
	/* One address in two spellings. */
	assert_int_equal(enter(c, "::ffff:192.0.2.1"), CROWD_IN);
	assert_int_equal(enter(c, "192.0.2.1"), CROWD_ADDRESS);
	crowd_free(&c);
}

static void who_leaves_makes_room(void **state UNUSED)
{
	struct crowd *c = crowd_new(&(struct crowd_limits){3, 1, 1});
	size_t a, b, d;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(crowd_enter(c, STR("192.0.2.1"), &a), CROWD_IN);
		assert_int_equal(crowd_enter(c, STR("192.0.3.1"), &b), CROWD_IN);
		assert_int_equal(crowd_enter(c, STR(""), &d), CROWD_IN);
		assert_int_equal(enter(c, ""), CROWD_FULL);
		assert_int_equal(enter(c, "192.0.3.1"), CROWD_FULL);
		crowd_leave(c, i % 3 == 0 ? a : i % 3 == 1 ? b : d);
		if (i % 3 != 0)
			assert_int_equal(enter(c, "192.0.2.1"), CROWD_ADDRESS);
		crowd_leave(c, i % 3 == 0 ? b : a);
		crowd_leave(c, i % 3 == 2 ? b : d);
	}
	crowd_free(&c);
}

static void who_is_trusted_or_nobody_is_not_counted(void **state UNUSED)
{
	struct crowd *c = crowd_new(&(struct crowd_limits){10, 1, 1});

	for (int i = 0; i < 3; i++) {
		assert_int_equal(enter(c, ""), CROWD_IN);
		assert_int_equal(enter(c, "unix"), CROWD_IN);
		assert_int_equal(
			enter(c, "a text that is longer than any address may be"),
			CROWD_IN);
	}
	assert_int_equal(enter(c, "192.0.2.1"), CROWD_IN);
	crowd_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit_holds),
		cmocka_unit_test(ipv6_networks_are_of_64_bits),
		cmocka_unit_test(who_leaves_makes_room),
		cmocka_unit_test(who_is_trusted_or_nobody_is_not_counted),
	};

	return cmocka_run_group_tests_name("lib/crowd", tests, NULL, NULL);
}
