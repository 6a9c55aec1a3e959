/* SPDX-License-Identifier: ISC */
/* What an operator sees: nothing that steers a terminal, sizes that can be read back. */
#include "ctl/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *name;
	struct str in;
	const char *out;
} visible[] = {
	/* clang-format off */
	{"plain",                     STR_INIT("alice@example.org"), "alice@example.org"},
	{"UTF-8 stays",               STR_INIT("b\xc3\xbc" "cher"),  "b\xc3\xbc" "cher"},
	{"four octets stay",          STR_INIT("\xf0\x9f\x93\xac"),  "\xf0\x9f\x93\xac"},
	{"escape sequences",          STR_INIT("\x1b[2J"),           "\\x1b[2J"},
	{"NUL, CR, LF, TAB, DEL",     STR_INIT("\0\r\n\t\x7f"),      "\\x00\\x0d\\x0a\\x09\\x7f"},
	{"C1 CSI as UTF-8",           STR_INIT("\xc2\x9b" "2J"),     "\\xc2\\x9b2J"},
	{"the first that is no C1",   STR_INIT("\xc2\xa0"),          "\xc2\xa0"},
	{"C1 CSI as one octet",       STR_INIT("\x9b" "2J"),         "\\x9b2J"},
	{"half a character",          STR_INIT("a\xc3"),             "a\\xc3"},
	{"an overlong form",          STR_INIT("\xc0\xaf"),          "\\xc0\\xaf"},
	{"a surrogate",               STR_INIT("\xed\xa0\x80"),      "\\xed\\xa0\\x80"},
	/* clang-format on */
};

static void text_is_made_harmless(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(visible); i++) {
		struct buf out;

		buf_init(&out, 1000);
		print_visible(&out, visible[i].in);
		print_message("# %s\n", visible[i].name);
		assert_string_equal(buf_cstr(&out), visible[i].out);
		buf_fini(&out);
	}
}

static const struct {
	uint64_t octets;
	const char *out;
} sizes[] = {
	/* clang-format off */
	{0,                        "0"},
	{1023,                     "1023"},
	{1024,                     "1K"},
	{1025,                     "1.0K"},
	{1536,                     "1.5K"},
	{UINT64_C(100) << 20,      "100M"},
	{(UINT64_C(1) << 20) - 1,  "1024.0K"},
	{UINT64_C(3) << 30,        "3G"},
	{UINT64_C(5) << 40,        "5T"},
	{UINT64_C(1) << 50,        "1P"},
	{UINT64_C(1) << 60,        "1E"},
	{UINT64_MAX,               "16.0E"},
	/* clang-format on */
};

static void sizes_have_a_human_unit(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(sizes); i++) {
		struct buf out;

		buf_init(&out, 100);
		print_size(&out, sizes[i].octets);
		assert_string_equal(buf_cstr(&out), sizes[i].out);
		buf_fini(&out);
	}
}

static void times_are_in_utc(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	print_time(&out, UINT64_C(1795292023999));
	buf_put(&out, STR(" "));
	print_time(&out, 0);
	assert_string_equal(buf_cstr(&out), "2026-11-21 20:13:43Z never");
	buf_fini(&out);
}

/* dump - what a program would read */
static void assert_json(json_t *owned, const char *expected)
{
	char *text = json_dumps(owned, JSON_ENCODE_ANY);

	assert_string_equal(text, expected);
	free(text);
	json_decref(owned);
}

static void json_takes_any_octets(void **state)
{
	(void)state;
	assert_json(print_json_text(STR("b\xc3\xbc")), "\"b\xc3\xbc\"");
	assert_json(print_json_text(STR("a\n\"")), "\"a\\n\\\"\"");
	assert_json(print_json_text(STR("a\0b")), "\"a\\u0000b\"");
	assert_json(print_json_text(STR("a\xff")), "\"a\\\\xff\"");
	assert_json(print_json_text(STR("")), "\"\"");
	assert_json(print_json_time(UINT64_C(1795292023123)),
		    "\"2026-11-21T20:13:43.123Z\"");
	assert_json(print_json_time(0), "null");
	assert_json(print_json_done(STR("a@b"), "added"),
		    "{\"name\": \"a@b\", \"done\": \"added\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_made_harmless),
		cmocka_unit_test(sizes_have_a_human_unit),
		cmocka_unit_test(times_are_in_utc),
		cmocka_unit_test(json_takes_any_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
