/* SPDX-License-Identifier: ISC */
/* Words after a verb: which switches were taken, which operands are left, or why not. */
#include "ctl/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"

enum { WORDS = 6 };
static const unsigned allowed = OPT(JSON) | OPT(QUOTA) | OPT(FROM) | OPT(CHANGED);

static const struct {
	const char *name;
	const char *words[WORDS];
	const char *out; /* "switch=value " and "[operand]", or the error */
} cases[] = {
	/* clang-format off */
	{"nothing",                     {NULL},                           ""},
	{"operands keep their order",   {"b", "a"},                       "[b][a]"},
	{"a switch",                    {"--json"},                       "--json= "},
	{"between operands",            {"a", "--json", "b"},             "--json= [a][b]"},
	{"a value as a word",           {"--quota", "1M"},                "--quota=1M "},
	{"a value after =",             {"--quota=1M"},                   "--quota=1M "},
	{"an empty value",              {"--quota="},                     "--quota= "},
	{"a value that begins with -",  {"--quota", "-1"},                "--quota=-1 "},
	{"a value with = in it",        {"--quota=a=b"},                  "--quota=a=b "},
	{"a lone - is an operand",      {"-"},                            "[-]"},
	{"a lone - is a value",         {"--from", "-"},                  "--from=- "},
	{"-- ends the switches",        {"--", "--json", "--"},           "[--json][--]"},
	{"one letter",                  {"-n"},                           "-n= "},
	{"help is taken everywhere",    {"--help"},                       "--help= "},
	{"an empty operand",            {""},                             "[]"},
	{"unknown",                     {"--nonsense"},                   "there is no switch --nonsense"},
	{"unknown with a value",        {"--nonsense=1"},                 "there is no switch --nonsense"},
	{"no abbreviations",            {"--js"},                         "there is no switch --js"},
	{"no longer words either",      {"--jsons"},                      "there is no switch --jsons"},
	{"no bundles",                  {"-nn"},                          "there is no switch -nn"},
	{"case matters",                {"--JSON"},                       "there is no switch --JSON"},
	{"of another verb",             {"--repair"},                     "--repair does not belong to this verb"},
	{"twice",                       {"--json", "--json"},             "--json is given twice"},
	{"twice with values",           {"--quota=1", "--quota", "2"},    "--quota is given twice"},
	{"value missing",               {"a", "--quota"},                 "--quota needs a value"},
	{"value not wanted",            {"--json=yes"},                   "--json takes no value"},
	/* clang-format on */
};

static void describe(const struct options *o, struct buf *out)
{
	for (unsigned x = 0; x < OPT_COUNT; x++) {
		struct str usage = str_of(option_usage(x));
		struct str name = str_word(&usage);

		if (options_has(o, x))
			buf_printf(out, STR_FMT "=%s ", STR_ARG(name), o->value[x]);
	}
	for (size_t i = 0; i < o->n; i++)
		buf_printf(out, "[%s]", o->operands[i]);
}

static void rows_say_what_comes_of_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		char *words[WORDS];
		struct options o;
		struct err e = {0};
		struct buf out;
		size_t n = 0;

		for (; n < WORDS && cases[i].words[n] != NULL; n++)
			words[n] = xstrdup(cases[i].words[n]);
		buf_init(&out, 1000);
		print_message("# %s\n", cases[i].name);
		if (options_parse(words, n, allowed, &o, &e) == 0) {
			describe(&o, &out);
			assert_string_equal(buf_cstr(&out), cases[i].out);
		} else {
			assert_string_equal(e.text, cases[i].out);
			assert_string_equal(e.dsn, "5.5.4");
		}
		options_fini(&o);
		buf_fini(&out);
		while (n > 0)
			xfree(&words[--n]);
	}
}

static void every_switch_is_described(void **state)
{
	(void)state;
	for (unsigned x = 0; x < OPT_COUNT; x++) {
		assert_non_null(option_usage(x));
		assert_true(strlen(option_help(x)) > 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_what_comes_of_words),
		cmocka_unit_test(every_switch_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
