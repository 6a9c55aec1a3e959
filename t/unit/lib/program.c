/* SPDX-License-Identifier: ISC */
#include "lib/program.h"

#include "lib/settings.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include <cmocka.h>

/* clang-format off */
static const struct {
	const char *name;
	const char *argv[4];
	bool runs;
	int status;
	const char *file;
} cases[] = {
	{"nothing given",       {"x"},                  true,  EX_OK,    SETTINGS_FILE},
	{"a file",              {"x", "-c", "f.conf"},  true,  EX_OK,    "f.conf"},
	{"a file without room", {"x", "-cf.conf"},      true,  EX_OK,    "f.conf"},
	{"help",                {"x", "-h"},            false, EX_OK,    NULL},
	{"long help",           {"x", "--help"},        false, EX_OK,    NULL},
	{"version",             {"x", "--version"},     false, EX_OK,    NULL},
	{"no file after -c",    {"x", "-c"},            false, EX_USAGE, NULL},
	{"unknown option",      {"x", "-q"},            false, EX_USAGE, NULL},
	{"a word too many",     {"x", "y"},             false, EX_USAGE, NULL},
};
/* clang-format on */

static void command_lines_are_understood_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		char *argv[4] = {NULL};
		const char *file;
		int argc = 0, status;

		printf("# %s\n", cases[i].name);
		fflush(stdout);
		for (; cases[i].argv[argc] != NULL; argc++)
			argv[argc] = xstrdup(cases[i].argv[argc]);
		optind = 0; /* getopt(3): begin anew */
		assert_int_equal(program_arguments("x", argc, argv, &file, &status),
				 cases[i].runs);
		assert_int_equal(status, cases[i].status);
		if (cases[i].file != NULL)
			assert_string_equal(file, cases[i].file);
		for (int k = 0; k < argc; k++)
			xfree(&argv[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines_are_understood_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
