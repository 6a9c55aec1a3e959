/* SPDX-License-Identifier: ISC */
#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void is_empty_and_printable_at_birth(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 10);
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(buf_str(&b).n, 0);
	buf_drop(&b, 0);
	buf_cut(&b, 0);
	buf_clear(&b);
	buf_put(&b, STR(""));
	buf_printf(&b, "%s", "");
	assert_null(b.p);
	assert_false(buf_over(&b));
	buf_fini(&b);
	buf_fini(&b);
}

static void takes_exactly_its_maximum(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 5);
	buf_put(&b, STR("12345"));
	assert_false(buf_over(&b));
	buf_putc(&b, '6');
	assert_true(buf_over(&b));
	assert_string_equal(buf_cstr(&b), "12345");
	buf_fini(&b);
}

static void over_is_sticky_and_keeps_what_fitted(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 4);
	buf_put(&b, STR("abcdef"));
	assert_true(buf_over(&b));
	assert_string_equal(buf_cstr(&b), "abcd");
	buf_cut(&b, 1);
	buf_put(&b, STR("x")); /* would fit, but something is missing before it */
	assert_string_equal(buf_cstr(&b), "a");
	assert_true(buf_over(&b));
	buf_clear(&b);
	assert_false(buf_over(&b));
	buf_put(&b, STR("wxyz"));
	assert_string_equal(buf_cstr(&b), "wxyz");
	assert_false(buf_over(&b));
	buf_fini(&b);
}

static void a_maximum_of_nothing(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 0);
	buf_put(&b, STR(""));
	assert_false(buf_over(&b));
	assert_null(buf_reserve(&b, 1));
	buf_clear(&b);
	buf_putc(&b, 'x');
	assert_true(buf_over(&b));
	assert_string_equal(buf_cstr(&b), "");
	buf_fini(&b);
}

static void grows_over_every_size(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < 1000; i++) {
		buf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.n, i + 1);
		assert_int_equal(b.p[b.n], '\0');
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	assert_false(buf_over(&b));
	buf_fini(&b);
}

/* Short texts take another path than long ones: 511 is the last short one. */
static void prints_short_and_long(void **state UNUSED)
{
	static const size_t lengths[] = {0, 1, 510, 511, 512, 513, 5000};
	char text[5001];
	struct buf b;

	buf_init(&b, 5000);
	for (size_t i = 0; i < countof(lengths); i++) {
		memset(text, 'x', lengths[i]);
		text[lengths[i]] = '\0';
		buf_clear(&b);
		buf_printf(&b, "%s", text);
		assert_string_equal(buf_cstr(&b), text);
	}
	buf_printf(&b, "%d", 1);
	assert_true(buf_over(&b));
	buf_fini(&b);
}

static void prints_numbers_as_printf_does(void **state UNUSED)
{
	static const uint64_t values[] = {0, 9, 10, 4095, UINT32_MAX, UINT64_MAX};
	struct buf is, want;

	buf_init(&is, 1000);
	buf_init(&want, 1000);
	for (size_t i = 0; i < countof(values); i++) {
		unsigned long long v = values[i];

		buf_put_u64(&is, v, 0);
		buf_put_u64(&is, v, 8);
		buf_put_u64(&is, v, 20);
		buf_put_hex64(&is, v);
		buf_printf(&want, "%llu%08llu%020llu%016llx", v, v, v, v);
	}
	assert_string_equal(buf_cstr(&is), buf_cstr(&want));
	buf_fini(&is);
	buf_fini(&want);
}

static void holds_any_octet(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 10);
	buf_put(&b, STR("a\0\xff"));
	assert_true(str_eq(buf_str(&b), STR("a\0\xff")));
	buf_fini(&b);
}

static void drops_from_the_front(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 10);
	buf_put(&b, STR("0123456789"));
	buf_drop(&b, 4);
	assert_string_equal(buf_cstr(&b), "456789");
	buf_put(&b, STR("abcd"));
	assert_string_equal(buf_cstr(&b), "456789abcd");
	buf_drop(&b, 10);
	assert_string_equal(buf_cstr(&b), "");
	buf_fini(&b);
}

static void reserves_room_to_read_into(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 8);
	memcpy(buf_reserve(&b, 8), "12345678", 8);
	buf_used(&b, 3);
	assert_string_equal(buf_cstr(&b), "123");
	assert_non_null(buf_reserve(&b, 5));
	assert_null(buf_reserve(&b, 6));
	assert_true(buf_over(&b));
	assert_string_equal(buf_cstr(&b), "123");
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_fini(&b);
}

/* Growing would leave copies of the password behind in freed memory. */
static void a_secret_never_moves(void **state UNUSED)
{
	struct buf b;

	buf_init_secret(&b, 256);

	const char *place = b.p;

	for (int i = 0; i < 256; i++)
		buf_putc(&b, 'p');
	assert_false(buf_over(&b));
	assert_ptr_equal(b.p, place);
	buf_fini_secret(&b);
	assert_null(b.p);
	buf_fini_secret(&b);
}

/* What was cut off or only reserved is wiped like the rest; what nobody had is left alone. */
static void a_secret_is_wiped_as_far_as_it_was_touched(void **state UNUSED)
{
	struct buf b;

	buf_init_secret(&b, 100000);
	assert_int_equal(b.touched, 0);
	buf_put(&b, STR("password"));
	buf_cut(&b, 2);
	assert_int_equal(b.touched, 9);
	assert_non_null(buf_reserve(&b, 1000));
	buf_clear(&b);
	assert_int_equal(b.touched, 2 + 1000 + 1);
	buf_put(&b, STR("x"));
	assert_int_equal(b.touched, 2 + 1000 + 1);
	buf_fini_secret(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_empty_and_printable_at_birth),
		cmocka_unit_test(takes_exactly_its_maximum),
		cmocka_unit_test(over_is_sticky_and_keeps_what_fitted),
		cmocka_unit_test(a_maximum_of_nothing),
		cmocka_unit_test(grows_over_every_size),
		cmocka_unit_test(prints_short_and_long),
		cmocka_unit_test(prints_numbers_as_printf_does),
		cmocka_unit_test(holds_any_octet),
		cmocka_unit_test(drops_from_the_front),
		cmocka_unit_test(reserves_room_to_read_into),
		cmocka_unit_test(a_secret_never_moves),
		cmocka_unit_test(a_secret_is_wiped_as_far_as_it_was_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
