/* SPDX-License-Identifier: ISC */
/* The table of verbs: what is found, and that no row contradicts itself. */
#include "ctl/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *first, *second; /* words */
	const char *found;          /* NULL: nothing */
	size_t used;
} cases[] = {
	/* clang-format off */
	{"add",     "a@b",    "add",         1},
	{"add",     NULL,     "add",         1},
	{"domain",  "add",    "domain add",  2},
	{"domain",  "list",   "domain list", 2},
	{"list",    "domain", "list",        1},
	{"domain",  NULL,     NULL,          0},
	{"domain",  "a.org",  NULL,          0},
	{"domain",  "ad",     NULL,          0},
	{"ad",      NULL,     NULL,          0},
	{"addd",    NULL,     NULL,          0},
	{"ADD",     NULL,     NULL,          0},
	{"",        NULL,     NULL,          0},
	{"domain add", NULL,  NULL,          0},
	/* clang-format on */
};

static void words_find_their_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		char first[20], second[20];
		char *words[] = {first, second};
		size_t used = 0, n = cases[i].second ? 2 : 1;

		snprintf(first, sizeof first, "%s", cases[i].first);
		snprintf(second, sizeof second, "%s", n == 2 ? cases[i].second : "");

		const struct verb *v = verb_find(words, n, &used);

		print_message("# %s %s\n", first, second);
		if (cases[i].found == NULL) {
			assert_null(v);
			continue;
		}
		assert_non_null(v);
		assert_string_equal(v->name, cases[i].found);
		assert_int_equal(used, cases[i].used);
	}
	size_t used;

	assert_null(verb_find(NULL, 0, &used));
}

static void rows_are_complete_and_found_by_their_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < verb_count(); i++) {
		const struct verb *v = verb_at(i);
		char first[40];
		char *words[] = {first, first};
		size_t used;

		snprintf(first, sizeof first, "%s", v->name);

		char *blank = strchr(first, ' ');

		if (blank != NULL) {
			*blank = '\0';
			words[1] = blank + 1;
		}
		print_message("# %s\n", v->name);
		assert_ptr_equal(verb_find(words, 2, &used), v);
		assert_true(v->min <= v->max);
		assert_true(v->max == 0 || *v->operands);
		assert_non_null(v->run);
		assert_true(strlen(v->help) > 5);
		assert_false(v->options &
			     OPT(HELP)); /* taken everywhere, see options.h */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_find_their_row),
		cmocka_unit_test(rows_are_complete_and_found_by_their_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
