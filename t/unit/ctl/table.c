/* SPDX-License-Identifier: ISC */
/* One description, four ways to print it. */
#include "ctl/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct column columns[] = {
	{"name", "NAME", CELL_TEXT},    {"octets", "USED", CELL_SIZE},
	{"quota", "QUOTA", CELL_QUOTA}, {"hidden", NULL, CELL_COUNT},
	{"read", "READ", CELL_BOOL},    {"flags", "FLAGS", CELL_LIST},
};

static void add_row(struct table *t, const char *name, uint64_t octets, uint64_t quota,
		    bool read, const char *flags)
{
	table_text(t, str_of(name));
	table_number(t, octets);
	table_number(t, quota);
	table_number(t, 7);
	table_number(t, read);
	table_text(t, str_of(flags));
}

static struct table *two_rows(void)
{
	struct table *t = table_new(columns, countof(columns));

	add_row(t, "z\xc3\xbc@b", 5, UINT64_MAX, false, "");
	add_row(t, "alice@b", 1536, 100 << 20, true, "DISMAIL\nLOCKPWD\n");
	assert_int_equal(table_rows(t), 2);
	return t;
}

static void assert_prints(struct table *t, enum table_form form, bool json,
			  const char *expected)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	table_print(t, form, json, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	table_free(&t);
	assert_null(t);
}

static void rows_are_aligned_and_sorted(void **state)
{
	(void)state;
	assert_prints(two_rows(), TABLE_ROWS, false,
		      "NAME     USED  QUOTA  READ  FLAGS\n"
		      "alice@b  1.5K   100M  yes   DISMAIL, LOCKPWD\n"
		      "z\xc3\xbc@b        5   none  no    -\n");
}

static void json_rows_are_exact_and_complete(void **state)
{
	(void)state;
	assert_prints(
		two_rows(), TABLE_ROWS, true,
		"[\n{\"name\": \"alice@b\", \"octets\": 1536, \"quota\": 104857600, "
		"\"hidden\": 7, \"read\": true, \"flags\": [\"DISMAIL\", \"LOCKPWD\"]},\n"
		"{\"name\": \"z\xc3\xbc@b\", \"octets\": 5, \"quota\": null, "
		"\"hidden\": 7, \"read\": false, \"flags\": []}\n]\n");
}

static void no_rows_are_nothing_or_an_empty_array(void **state)
{
	(void)state;
	assert_prints(table_new(columns, countof(columns)), TABLE_ROWS, false, "");
	assert_prints(table_new(columns, countof(columns)), TABLE_ROWS, true, "[\n]\n");
}

static void a_record_is_a_line_a_column(void **state)
{
	struct table *t = table_new(columns, countof(columns));

	(void)state;
	add_row(t, "\x1b[2J", 0, 0, true, "DISUSER\n");
	assert_prints(t, TABLE_RECORD, false,
		      "NAME   \\x1b[2J\n"
		      "USED   0\n"
		      "QUOTA  0\n"
		      "READ   yes\n"
		      "FLAGS  DISUSER\n");
}

static void a_json_record_is_an_object(void **state)
{
	static const struct column times[] = {{"at", "At", CELL_TIME},
					      {"n", "N", CELL_COUNT}};
	struct table *t = table_new(times, countof(times));

	(void)state;
	table_number(t, UINT64_C(1795292023000));
	table_number(t, 3);
	assert_prints(t, TABLE_RECORD, true,
		      "{\n  \"at\": \"2026-11-21T20:13:43.000Z\",\n  \"n\": 3\n}\n");
}

static void numbers_sort_as_numbers(void **state)
{
	static const struct column numbers[] = {{"n", "N", CELL_COUNT}};
	struct table *t = table_new(numbers, countof(numbers));

	(void)state;
	table_number(t, 10);
	table_number(t, 9);
	table_number(t, 100);
	assert_prints(t, TABLE_ROWS, false, "  N\n  9\n 10\n100\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_aligned_and_sorted),
		cmocka_unit_test(json_rows_are_exact_and_complete),
		cmocka_unit_test(no_rows_are_nothing_or_an_empty_array),
		cmocka_unit_test(a_record_is_a_line_a_column),
		cmocka_unit_test(a_json_record_is_an_object),
		cmocka_unit_test(numbers_sort_as_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
