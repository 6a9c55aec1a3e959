/* SPDX-License-Identifier: ISC */
#include "lib/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum crowd_verdict enter(struct crowd *c, const char *address)
{
	static struct conn nobody = {.fd = -1};
	struct crowd_place place;

	return crowd_enter(c, str_of(address), &nobody, &place);
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
	/* All places are taken, and yet these hold. */
	assert_int_equal(enter(c, "192.0.2.1"), CROWD_ADDRESS);
	assert_int_equal(enter(c, "192.0.2.3"), CROWD_NETWORK);
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

static bool is_cut(const struct conn *c)
{
	return atomic_load(&c->interrupted);
}

static void who_leaves_makes_room(void **state UNUSED)
{
	struct crowd *c = crowd_new(&(struct crowd_limits){3, 1, 1});
	struct conn conn[3] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
	static const struct str from[] = {STR_INIT("192.0.2.1"), STR_INIT("192.0.3.1"),
					  STR_INIT("")};
	struct crowd_place place[3];
	struct err e;

	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 3; k++)
			assert_int_equal(crowd_enter(c, from[k], &conn[k], &place[k]),
					 CROWD_IN);
		assert_int_equal(crowd_leave(c, &place[i % 3], &e), 0);
		if (i % 3 != 0)
			assert_int_equal(enter(c, "192.0.2.1"), CROWD_ADDRESS);
		assert_int_equal(crowd_leave(c, &place[(i + 1) % 3], &e), 0);
		assert_int_equal(crowd_leave(c, &place[(i + 2) % 3], &e), 0);
	}
	for (int k = 0; k < 3; k++)
		assert_false(is_cut(&conn[k]));
	crowd_free(&c);
}

static void who_came_first_gives_way(void **state UNUSED)
{
	enum { ROOM = 3, COME = 10 };
	struct crowd *c = crowd_new(&(struct crowd_limits){ROOM, 1, 1});
	struct conn conn[COME];
	struct crowd_place place[COME];
	struct err e;

	for (int i = 0; i < COME; i++) {
		char address[16];

		conn[i] = (struct conn){.fd = -1};
		snprintf(address, sizeof address, "10.0.%d.1", i);
		assert_int_equal(crowd_enter(c, str_of(address), &conn[i], &place[i]),
				 CROWD_IN);
		if (i >= ROOM)
			assert_true(is_cut(&conn[i - ROOM]));
		assert_int_equal(enter(c, address), CROWD_ADDRESS);
	}
	/* Whose place is another's leaves it to him. */
	assert_int_equal(crowd_leave(c, &place[0], &e), -1);
	for (int i = COME - ROOM; i < COME; i++) {
		assert_false(is_cut(&conn[i]));
		assert_int_equal(crowd_leave(c, &place[i], &e), 0);
	}
	for (int i = 0; i < COME; i++)
		assert_int_equal(crowd_leave(c, &place[i], &e), -1);
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
		cmocka_unit_test(who_came_first_gives_way),
		cmocka_unit_test(who_is_trusted_or_nobody_is_not_counted),
	};

	return cmocka_run_group_tests_name("lib/crowd", tests, NULL, NULL);
}
