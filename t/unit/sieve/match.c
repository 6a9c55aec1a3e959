/* SPDX-License-Identifier: ISC */
#include "sieve/match_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const struct comparator *k, const char *pattern, const char *s,
		    struct glob *g)
{
	*g = (struct glob){.comparator = k, .work_max = UINT64_MAX};
	return match_glob(g, str_of(pattern), str_of(s));
}

static void the_pieces_of_a_match_make_up_the_value(void **state UNUSED)
{
	static const char *const patterns[] = {
		"*",    "*a*",  "?*", "*?", "a*b*c", "**",    "*?*?",  "a?c*",
		"*abc", "abc*", "?",  "",   "a**",   "*b?*c", "*\\**", "\\?*"};
	static const char *const values[] = {"",      "a",    "abc", "aabbcc", "abcabc",
					     "xabcx", "a*bc", "?bc", "aXbXc",  "bbbc"};

	for (size_t i = 0; i < countof(patterns); i++)
		for (size_t k = 0; k < countof(values); k++) {
			struct glob g;
			struct buf whole;
			size_t n = 1;

			if (!matches(&comparator_octet, patterns[i], values[k], &g))
				continue;
			buf_init(&whole, 100);
			for (const char *p = patterns[i]; *p != '\0'; p++) {
				if (*p == '*' || *p == '?')
					buf_put(&whole, g.capture[n++]);
				else if (*p == '\\')
					buf_putc(&whole, *++p);
				else
					buf_putc(&whole, *p);
			}
			print_message("# %s %s\n", patterns[i], values[k]);
			assert_int_equal(n, g.n);
			assert_string_equal(buf_cstr(&whole), values[k]);
			buf_fini(&whole);
		}
}

/* naive - the same question, by trying everything */
static bool naive(const char *p, const char *s)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*')
		return naive(p + 1, s) || (*s != '\0' && naive(p, s + 1));
	return *s != '\0' && (*p == '?' || *p == *s) && naive(p + 1, s + 1);
}

/* All patterns of up to five of "ab*?", against all values of up to five of "ab". */
static void says_the_same_as_trying_everything(void **state UNUSED)
{
	for (unsigned i = 0; i < 4 * 4 * 4 * 4 * 4; i++)
		for (unsigned k = 0; k < 2 * 2 * 2 * 2 * 2 * 6; k++) {
			char pattern[6] = "", value[6] = "";
			struct glob g;
			unsigned x = i, y = k / 6;

			for (unsigned n = 0; n < 5; n++, x /= 4)
				pattern[n] = "ab*?"[x % 4];
			for (unsigned n = 0; n < k % 6; n++, y /= 2)
				value[n] = "ab"[y % 2];
			if (matches(&comparator_octet, pattern, value, &g) !=
			    naive(pattern, value))
				fail_msg("%s %s", pattern, value);
		}
}

static void a_match_stops_at_its_limit(void **state UNUSED)
{
	static char value[10000], pattern[2001];
	struct glob g = {.comparator = &comparator_octet, .work_max = 100000};

	memset(value, 'a', sizeof value);
	memset(pattern, 'a', sizeof pattern);
	pattern[0] = '*';
	pattern[sizeof pattern - 1] = 'b';
	assert_false(match_glob(&g, (struct str){pattern, sizeof pattern},
				(struct str){value, sizeof value}));
	assert_true(g.work <= 100000);
}

static void finds_as_memmem_does(void **state UNUSED)
{
	for (unsigned i = 0; i < 32 * 6; i++)
		for (unsigned k = 0; k < 256; k++) {
			char needle[6] = "", s[9] = "";
			size_t work;

			for (unsigned n = 0; n < i % 6; n++)
				needle[n] = "ab"[i / 6 >> n & 1];
			for (unsigned n = 0; n < 8; n++)
				s[n] = "ab"[k >> n & 1];
			if (match_find(false, str_of(needle), str_of(s), &work) !=
			    (strstr(s, needle) != NULL))
				fail_msg("%s %s", needle, s);
			assert_true(work <= 16);
		}
}

static void a_long_needle_is_found(void **state UNUSED)
{
	static char s[100000], needle[1000];
	size_t work;

	memset(s, 'a', sizeof s);
	memset(needle, 'A', sizeof needle);
	needle[sizeof needle - 1] = 'b';
	assert_false(match_find(true, (struct str){needle, sizeof needle},
				(struct str){s, sizeof s}, &work));
	s[sizeof s - 1] = 'B';
	assert_true(match_find(true, (struct str){needle, sizeof needle},
			       (struct str){s, sizeof s}, &work));
	assert_int_equal(work, sizeof s + sizeof needle);
}

static void relations(void **state UNUSED)
{
	static const bool holds[][3] = {
		[REL_GT] = {false, false, true}, [REL_GE] = {false, true, true},
		[REL_LT] = {true, false, false}, [REL_LE] = {true, true, false},
		[REL_EQ] = {false, true, false}, [REL_NE] = {true, false, true},
	};

	for (size_t i = 0; i < countof(holds); i++)
		for (int order = -1; order <= 1; order++)
			assert_int_equal(relation_holds((enum relation)i, order),
					 holds[i][order + 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pieces_of_a_match_make_up_the_value),
		cmocka_unit_test(says_the_same_as_trying_everything),
		cmocka_unit_test(a_match_stops_at_its_limit),
		cmocka_unit_test(finds_as_memmem_does),
		cmocka_unit_test(a_long_needle_is_found),
		cmocka_unit_test(relations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
