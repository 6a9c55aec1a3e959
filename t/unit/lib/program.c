/* SPDX-License-Identifier: ISC */
#include "lib/program.h"

#include "lib/settings.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

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

/* What the program below did: its settings' name of the machine, and what was logged. */
static char ran_as[32], why_not[240];
static bool fails;

static int run(const struct settings *set, struct err *e)
{
	snprintf(ran_as, sizeof ran_as, "%s", set->hostname);
	return fails ? err_set(e, ERR_TEMP, "4.3.0", "no room") : 0;
}

static void failed(const struct err *e)
{
	snprintf(why_not, sizeof why_not, "%s", e->text);
}

static int call(char *file)
{
	static const struct program program = {"x", run, failed};
	char *argv[] = {(char[]){"x"}, (char[]){"-c"}, file, NULL};

	optind = 0;
	ran_as[0] = why_not[0] = '\0';
	return program_main(&program, 3, argv);
}

static void a_service_runs_with_its_settings(void **state)
{
	char file[] = "/tmp/popstore-unit-XXXXXX";
	static const char text[] = "hostname = \"mx.example.org\"\n";
	int fd = mkstemp(file);

	(void)state;
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	close(fd); /* or it would be taken for what a parent forgot */
	assert_int_equal(call(file), EX_OK);
	assert_string_equal(ran_as, "mx.example.org");
	assert_string_equal(why_not, "");
	fails = true;
	assert_int_equal(call(file), EX_TEMPFAIL);
	assert_string_equal(why_not, "no room");
	assert_int_equal(truncate(file, 5), 0);
	assert_int_equal(call(file), EX_CONFIG);
	assert_string_equal(ran_as, "");
	assert_true(why_not[0] != '\0');
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines_are_understood_or_refused),
		cmocka_unit_test(a_service_runs_with_its_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
