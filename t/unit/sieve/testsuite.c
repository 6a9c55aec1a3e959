/* SPDX-License-Identifier: ISC */
#include "sieve/testsuite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A test of the tests: what a file says, and what is counted and reported. */
static const struct {
	const char *text;
	int rc;
	size_t passed, failed;
	const char *reported;
} cases[] = {
	/* clang-format off */
	{"test \"a\" { }", 0, 1, 0, "a:;"},
	{"test \"a\" { test_fail \"why\"; } test \"b\" { }", 0, 1, 1, "a:line 2: why;b:;"},
	{"test \"a\" { test_fail \"\"; }", 0, 0, 1, "a:line 2: ;"},
	{"test \"a\" { if true { test_fail \"one\"; } test_fail \"two\"; }", 0, 0, 1, "a:line 2: one;"},
	{"test \"a\" { test_set \"frob\" \"x\"; }", 0, 0, 1, "a:line 2: test_set: there is no 'frob';"},
	{"test \"a\" { stop; test_fail \"x\"; }", 0, 1, 0, "a:;"},
	{"test_set \"frob\" \"x\";", -1, 0, 0, ""},
	{"frob;", -1, 0, 0, ""},
	{"test \"a\" { test \"b\" { } }", -1, 0, 0, ""},
	{"test \"a\" { if not test_script_compile \"there\" { test_fail \"no\"; } }", 0, 1, 0, "a:;"},
	{"test \"a\" { if test_script_compile \"elsewhere\" { test_fail \"yes\"; } }", 0, 1, 0, "a:;"},
	{"test \"a\" { if not test_script_run { } }", 0, 0, 1, "a:line 2: test_script_run: no script was compiled;"},
	{"test \"a\" { if not test_script_compile \"there\" {} if not test_script_run {} test_result_print; }", 0, 1, 0, "[discard\n]a:;"},
	{"test \"a\" { if not test_script_compile \"there\" {} test_binary_save \"x\"; if test_script_compile :text \"frob;\" {} test_binary_load \"x\"; if not test_script_run { test_fail \"run\"; } if not test_result_action \"discard\" { test_fail \"another\"; } }", 0, 1, 0, "a:;"},
	{"test \"a\" { test_binary_load \"x\"; }", 0, 0, 1, "a:line 2: test_binary_load: there is no 'x';"},
	{"test \"a\" { test_config_set \"frob\" \"x\"; }", 0, 0, 1, "a:line 2: test_config_set: there is no 'frob';"},
	{"test \"a\" { test_message :smtp 0; }", 0, 0, 1, "a:line 2: test_message: there is none;"},
	{"test \"a\" { if not test_script_compile \"there\" {} if not test_script_run {} if not test_script_run :append_result {} if not test_result_action :index 2 \"discard\" { test_fail \"no\"; } test_result_reset; if test_result_action \"discard\" { test_fail \"still\"; } }", 0, 1, 0, "a:;"},
	/* clang-format on */
};

static bool read_script(void *ctx UNUSED, struct str name, struct buf *out)
{
	if (!str_eq(name, STR("there")))
		return false;
	buf_put(out, STR("discard;"));
	return true;
}

static void report(void *ctx, struct str name, struct str failure)
{
	buf_printf(ctx, STR_FMT ":" STR_FMT ";", STR_ARG(name), STR_ARG(failure));
}

static void print_text(void *ctx, struct str text)
{
	buf_printf(ctx, "[" STR_FMT "]", STR_ARG(text));
}

static void counts_and_reports(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct buf said, text;
		const struct sieve_test_host host = {&said, read_script, report,
						     print_text};
		struct sieve_test_count count;
		struct sieve_errors errors = {0};
		struct sieve_failure failure;
		int rc;

		buf_init(&said, 1000);
		buf_init(&text, 1000);
		buf_put(&text, STR("require \"vnd.dovecot.testsuite\";\n"));
		buf_put(&text, str_of(cases[i].text));
		rc = sieve_test(buf_str(&text), "t", &host, &count, &errors, &failure);
		print_message("# %s\n", cases[i].text);
		assert_int_equal(rc, cases[i].rc);
		assert_int_equal(count.passed, cases[i].passed);
		assert_int_equal(count.failed, cases[i].failed);
		assert_string_equal(buf_cstr(&said), cases[i].reported);
		assert_true(rc == 0 || errors.n > 0 || failure.line > 0);
		sieve_errors_fini(&errors);
		buf_fini(&text);
		buf_fini(&said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
