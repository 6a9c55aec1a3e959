/* SPDX-License-Identifier: ISC */
#include "sieve/regex_int.h"

#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static enum regex_result match(const char *pattern, struct str s, struct regex_match *m)
{
	struct buf why;
	struct regex *r;
	enum regex_result result;

	buf_init(&why, 200);
	r = regex_new(str_of(pattern), true, &why);
	assert_non_null(r);
	m->work_max = 20000000;
	result = regex_match(r, s, m);
	regex_free(&r);
	assert_null(r);
	buf_fini(&why);
	return result;
}

static void matches(void **state UNUSED)
{
	struct regex_match m = {0};

	assert_int_equal(match("b(.)", STR("abc"), &m), REGEX_YES);
	assert_int_equal(m.n, 2);
	assert_true(str_eq(m.capture[0], STR("bc")) && str_eq(m.capture[1], STR("c")));
	assert_int_equal(match("x", STR("abc"), &m), REGEX_NO);
	assert_int_equal(match("^.$", STR("\xc3\xbc"), &m), REGEX_YES);
	assert_int_equal(match("B", (struct str){"", 0}, &m), REGEX_NO);
	assert_int_equal(match("^a(.*)b(.*)$", STR("a\r\nb\n"), &m), REGEX_YES);
	assert_true(str_eq(m.capture[2], STR("\n")));
	assert_int_equal(match("^b", STR("a\nb"), &m), REGEX_NO);
}

static void a_bomb_ends(void **state UNUSED)
{
	static const char *const bombs[] = {
		"^(a+)+$", "^(a|a)*$", "^(a*)*b", "(x+x+)+y",
		"^(([a-z])+.)+[A-Z]([a-z])+$",
		/* PCRE2's own limit holds for one place at a time only */
		"([a-z]+)([a-z]+)([0-9])", "x*y", "a*b", "[^y]*[y]", "(a|b|ab)*c"};
	char s[10000];
	struct regex_match m = {0};

	memset(s, 'a', sizeof s);
	s[sizeof s - 1] = '!';
	for (size_t i = 0; i < countof(bombs); i++) {
		match(bombs[i], (struct str){s, sizeof s}, &m);
		assert_true(m.work <= 20000000 + REGEX_STEPS);
	}
	assert_int_equal(match(bombs[0], (struct str){s, sizeof s}, &m), REGEX_LIMIT);
}

/* Many captures under repetition: memory, not steps. */
static void memory_has_a_limit(void **state UNUSED)
{
	char s[100000];
	struct regex_match m = {0};

	memset(s, 'a', sizeof s);
	assert_int_not_equal(
		match("^((((((((((a))))))))))*$", (struct str){s, sizeof s}, &m),
		REGEX_NO);
}

static void bad_patterns_are_told(void **state UNUSED)
{
	static const char *const bad[] = {
		"(",    "[",
		"*",    "a{2,1}",
		"\\C",  "(?<n",
		"\xff", "(((((a{1,1000}){1,1000}){1,1000}){1,1000}){1,1000})"};

	for (size_t i = 0; i < countof(bad); i++) {
		struct buf why;

		buf_init(&why, 200);
		assert_null(regex_new(str_of(bad[i]), true, &why));
		assert_true(why.n > 0);
		buf_fini(&why);
	}
}

/* What looks alike and is POSIX. */
static void good_patterns_are_taken(void **state UNUSED)
{
	static const char *const good[] = {
		"[*+]",  "[]*+]", "[^]+]*", "\\*+",   "a\\++",  "[[:alpha:]*+]+",
		"(a*)+", "\\(?",  "[(?]",   "a{1,2}", "\\.\\[", "[\\]*+]x"};

	for (size_t i = 0; i < countof(good); i++) {
		struct buf why;
		struct regex *r;

		buf_init(&why, 200);
		r = regex_new(str_of(good[i]), true, &why);
		print_message("# %s %s\n", good[i], buf_cstr(&why));
		assert_non_null(r);
		regex_free(&r);
		buf_fini(&why);
	}
}

/* In pieces of 256 places: a match is found wherever it begins, and the first one. */
static void a_long_value_has_no_seams(void **state UNUSED)
{
	char s[2000];
	struct regex_match m = {0};

	for (size_t at = 0; at + 2 < sizeof s; at += 37) {
		memset(s, 'a', sizeof s);
		memcpy(s + at, "xy", 2);
		assert_int_equal(match("x(y)", (struct str){s, sizeof s}, &m), REGEX_YES);
		assert_ptr_equal(m.capture[0].p, s + at);
	}
	for (size_t i = 0; i < sizeof s; i += 2)
		memcpy(s + i, "\xc3\xbc", 2);
	memcpy(s + 1000, "xy", 2);
	assert_int_equal(match("y", (struct str){s, sizeof s}, &m), REGEX_YES);
	assert_int_equal(match("z", (struct str){s, sizeof s}, &m), REGEX_NO);
	assert_int_equal(match("$", (struct str){s, sizeof s}, &m), REGEX_YES);
}

static void patterns_have_a_length(void **state UNUSED)
{
	char s[REGEX_OCTETS + 1];
	struct buf why;

	memset(s, 'a', sizeof s);
	buf_init(&why, 200);
	assert_null(regex_new((struct str){s, sizeof s}, true, &why));
	buf_fini(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(a_bomb_ends),
		cmocka_unit_test(memory_has_a_limit),
		cmocka_unit_test(bad_patterns_are_told),
		cmocka_unit_test(good_patterns_are_taken),
		cmocka_unit_test(a_long_value_has_no_seams),
		cmocka_unit_test(patterns_have_a_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
