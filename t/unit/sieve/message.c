/* SPDX-License-Identifier: ISC */
#include "sieve/message_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *name, *octets;
	bool stored;
	uint64_t size;
	const char *body;
} cases[] = {
	/* clang-format off */
	{"nothing", "", false, 0, ""},
	{"plain", "A: b\r\n\r\nx\r\n", false, 11, "x\r\n"},
	{"plain, dots stay", "A: b\r\n\r\n..x\r\n.\r\n", false, 16, "..x\r\n.\r\n"},
	{"stored", "A: b\r\n\r\nx\r\n.\r\n", true, 11, "x\r\n"},
	{"stored, nothing", ".\r\n", true, 0, ""},
	{"stored, no body", "A: b\r\n.\r\n", true, 6, ""},
	{"stored, a dot", "\r\n..x\r\n.\r\n", true, 6, ".x\r\n"},
	{"stored, dots", "\r\n..\r\n...\r\nx..\r\n.\r\n", true, 14, ".\r\n..\r\nx..\r\n"},
	{"stored, a line of one dot", "\r\n..\r\n.\r\n", true, 5, ".\r\n"},
	{"stored, a name with a dot", "..a: b\r\n\r\n.\r\n", true, 9, ""},
	/* clang-format on */
};

static void knows_size_and_body(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].octets);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct sieve_message *m;

		memcpy(exact, cases[i].octets, n);
		m = sieve_message_new((struct str){exact, n}, cases[i].stored, 0);
		print_message("# %s\n", cases[i].name);
		assert_int_equal(message_size(m), cases[i].size);
		assert_true(str_eq(message_body(m), str_of(cases[i].body)));
		assert_non_null(message_root(m));
		sieve_message_free(&m);
		assert_null(m);
		xfree(&exact);
	}
}

static void a_size_that_is_known_is_not_counted(void **state UNUSED)
{
	struct sieve_message *m = sieve_message_new(STR("A: b\r\n\r\n.\r\n"), true, 1234);

	assert_int_equal(message_size(m), 1234);
	sieve_message_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_size_and_body),
		cmocka_unit_test(a_size_that_is_known_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
