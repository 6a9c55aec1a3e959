/* SPDX-License-Identifier: ISC */
#include "authd/mux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define X16  "xxxxxxxxxxxxxxxx"
#define X128 X16 X16 X16 X16 X16 X16 X16 X16
#define X1K  X128 X128 X128 X128 X128 X128 X128 X128

static const struct {
	const char *name;
	struct str in;
	size_t unread;
	enum mux_want want;
	const char *user, *password, *service; /* where they are to be checked */
} cases[] = {
	/* clang-format off */
	{"name and realm", STR_INIT("\0\5alice\0\6secret\0\4smtp\0\13example.org"), 0, MUX_WANT_CHECK,
	 "alice@example.org", "secret", "smtp"},
	{"no realm", STR_INIT("\0\5alice\0\6secret\0\4smtp\0\0"), 0, MUX_WANT_CHECK, "alice", "secret", "smtp"},
	{"nothing at all", STR_INIT("\0\0\0\0\0\0\0\0"), 0, MUX_WANT_CHECK, "", "", ""},
	{"what follows is not taken", STR_INIT("\0\1a\0\1b\0\1c\0\1d\0\1e"), 3, MUX_WANT_CHECK, "a@d", "b", "c"},
	{"a realm that is missing", STR_INIT("\0\1a\0\1b\0\1c\0"), 0, MUX_WANT_INPUT, NULL, NULL, NULL},
	{"a name that goes on", STR_INIT("\0\7ali"), 0, MUX_WANT_INPUT, NULL, NULL, NULL},
	{"half a count", STR_INIT("\0"), 0, MUX_WANT_INPUT, NULL, NULL, NULL},
	{"the longest strings", STR_INIT("\4\0" X1K "\4\0" X1K "\0\1c\4\0" X1K), 0, MUX_WANT_CHECK, X1K "@" X1K, X1K, "c"},
	{"longer than that", STR_INIT("\4\1" X1K "x"), 1025, MUX_WANT_CLOSE, NULL, NULL, NULL},
	{"as long as can be said", STR_INIT("\0\1a\xff\xff" "bbb"), 3, MUX_WANT_CLOSE, NULL, NULL, NULL},
	{"another protocol", STR_INIT("GET / HTTP/1.1\r\n"), 14, MUX_WANT_CLOSE, NULL, NULL, NULL},
	{"a service with a line end", STR_INIT("\0\1a\0\1b\0\2c\n\0\0"), 0, MUX_WANT_CLOSE, NULL, NULL, NULL},
	/* clang-format on */
};

static void run(size_t i, size_t step)
{
	struct mux *m = mux_new();
	struct str in = cases[i].in;

	while (in.n > 0 && mux_want(m) == MUX_WANT_INPUT) {
		size_t n = in.n < step ? in.n : step;
		char *piece = xalloc(n); /* so that a read past the end is seen */

		memcpy(piece, in.p, n);
		n = mux_feed(m, (struct str){piece, n});
		xfree(&piece);
		assert_int_not_equal(n, 0);
		in = (struct str){in.p + n, in.n - n};
	}
	if (in.n != cases[i].unread || mux_want(m) != cases[i].want)
		print_error("%s, %zu at a time\n", cases[i].name, step);
	assert_int_equal(in.n, cases[i].unread);
	assert_int_equal(mux_want(m), cases[i].want);
	assert_int_equal(mux_broken(m) != NULL, cases[i].want == MUX_WANT_CLOSE);
	if (cases[i].user != NULL) {
		assert_true(str_eq(mux_user(m), str_of(cases[i].user)));
		assert_true(str_eq(mux_password(m), str_of(cases[i].password)));
		assert_true(str_eq(mux_service(m), str_of(cases[i].service)));
	}
	mux_free(&m);
	assert_null(m);
}

static void questions_are_read_however_they_come(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++)
		for (size_t step = 1; step <= 4096; step *= 4)
			run(i, step);
}

static struct mux *asked(void)
{
	struct mux *m = mux_new();

	mux_feed(m, STR("\0\1a\0\1b\0\1c\0\0"));
	assert_int_equal(mux_want(m), MUX_WANT_CHECK);
	return m;
}

static void an_answer_is_yes_or_no_or_none(void **state)
{
	struct mux *m = asked();

	(void)state;
	mux_answer(m, true);
	assert_true(str_eq(mux_output(m), STR("\0\2OK")));
	assert_int_equal(mux_want(m), MUX_WANT_CLOSE);
	mux_free(&m);
	m = asked();
	mux_answer(m, false);
	assert_true(str_eq(mux_output(m), STR("\0\2NO")));
	mux_free(&m);
	m = asked();
	mux_later(m);
	assert_int_equal(mux_output(m).n, 0);
	assert_int_equal(mux_want(m), MUX_WANT_CLOSE);
	assert_null(mux_broken(m));
	mux_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_read_however_they_come),
		cmocka_unit_test(an_answer_is_yes_or_no_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
