/* SPDX-License-Identifier: ISC */
#include "lib/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdalign.h>
#include <string.h>

#include <cmocka.h>

static void hands_out_zeroed_memory_that_stays(void **state UNUSED)
{
	struct arena a;
	unsigned char *piece[300];

	arena_init(&a, SIZE_MAX);
	for (size_t i = 0; i < countof(piece); i++) {
		piece[i] = arena_alloc(&a, i);
		assert_int_equal((uintptr_t)piece[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(piece[i][k], 0);
		memset(piece[i], (int)i & 0xff, i);
	}
	for (size_t i = 0; i < countof(piece); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(piece[i][k], i & 0xff);
	arena_fini(&a);
	assert_null(a.chunk);
}

static void a_piece_may_be_larger_than_any_chunk(void **state UNUSED)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);
	memset(arena_alloc(&a, 1 << 20), 'x', 1 << 20);
	memset(arena_alloc(&a, 10), 'y', 10);
	arena_fini(&a);
}

static void over_the_limit_is_remembered_and_still_served(void **state UNUSED)
{
	struct arena a;

	arena_init(&a, 64);
	memset(arena_alloc(&a, 64), 'x', 64);
	assert_false(arena_over(&a));
	memset(arena_alloc(&a, 1), 'x', 1);
	assert_true(arena_over(&a));
	arena_fini(&a);
}

static void copies_strings_and_ends_them(void **state UNUSED)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);

	struct str s = arena_str(&a, STR("abc"));

	assert_string_equal(s.p, "abc");
	assert_int_equal(arena_str(&a, (struct str){NULL, 0}).n, 0);
	arena_fini(&a);
}

static void a_list_keeps_what_was_pushed(void **state UNUSED)
{
	struct arena a;
	int *list = NULL;
	size_t n = 0;

	arena_init(&a, SIZE_MAX);
	for (int i = 0; i < 1000; i++) {
		list = arena_push(&a, list, &n, sizeof *list);
		list[n - 1] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(list[i], i);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hands_out_zeroed_memory_that_stays),
		cmocka_unit_test(a_piece_may_be_larger_than_any_chunk),
		cmocka_unit_test(over_the_limit_is_remembered_and_still_served),
		cmocka_unit_test(copies_strings_and_ends_them),
		cmocka_unit_test(a_list_keeps_what_was_pushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
