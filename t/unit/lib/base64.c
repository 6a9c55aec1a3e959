/* SPDX-License-Identifier: ISC */
/* Base64, by the vectors of RFC 4648 and by what is not quite base64. */
#include "lib/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	struct str octets, text;
} pairs[] = {
	/* clang-format off */
	{STR_INIT(""),       STR_INIT("")},
	{STR_INIT("f"),      STR_INIT("Zg==")},
	{STR_INIT("fo"),     STR_INIT("Zm8=")},
	{STR_INIT("foo"),    STR_INIT("Zm9v")},
	{STR_INIT("foob"),   STR_INIT("Zm9vYg==")},
	{STR_INIT("fooba"),  STR_INIT("Zm9vYmE=")},
	{STR_INIT("foobar"), STR_INIT("Zm9vYmFy")},
	{STR_INIT("\0"),     STR_INIT("AA==")},
	{STR_INIT("\xff\xef\xbe\xfb"), STR_INIT("/+++" "+w==")},
	/* clang-format on */
};

static void pairs_fit_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(pairs); i++) {
		struct buf b;

		buf_init(&b, 100);
		base64_encode(pairs[i].octets, &b);
		assert_true(str_eq(buf_str(&b), pairs[i].text));
		assert_int_equal(b.n, BASE64_OCTETS(pairs[i].octets.n));
		buf_clear(&b);
		assert_true(base64_decode(pairs[i].text, &b));
		assert_true(str_eq(buf_str(&b), pairs[i].octets));
		buf_fini(&b);
	}
}

static void what_is_not_quite_base64_is_refused(void **state)
{
	static const struct str wrong[] = {
		/* clang-format off */
		STR_INIT("Zg"),   STR_INIT("Zg="),      STR_INIT("Z==="),     STR_INIT("===="),
		STR_INIT("Zh=="), STR_INIT("Zm9="),     STR_INIT("Zg==Zg=="), STR_INIT("Z=g="),
		STR_INIT("Zm9\n"), STR_INIT(" Zm9"),    STR_INIT("Zm-_"),     STR_INIT("Zm9v\n"),
		STR_INIT("Zm9\0"), STR_INIT("Zm9\xff"), STR_INIT("Zm9vZg"),   STR_INIT("Zg=a"),
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < countof(wrong); i++) {
		struct buf b;

		buf_init(&b, 100);
		buf_put(&b, STR("kept"));
		assert_false(base64_decode(wrong[i], &b));
		assert_string_equal(buf_cstr(&b), "kept");
		buf_fini(&b);
	}
}

static void too_much_is_told_by_the_buffer(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_true(base64_decode(STR("Zm9vYmFy"), &b));
	assert_true(buf_over(&b));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_fit_both_ways),
		cmocka_unit_test(what_is_not_quite_base64_is_refused),
		cmocka_unit_test(too_much_is_told_by_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
