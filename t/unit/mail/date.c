/* SPDX-License-Identifier: ISC */
#include "mail/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
	uint64_t unix_ms;
	const char *rfc5322, *rfc3339;
} cases[] = {
	/* clang-format off */
	{0,                           "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z"},
	{UINT64_C(1795292023123),     "Sat, 21 Nov 2026 20:13:43 +0000", "2026-11-21T20:13:43.123Z"},
	{UINT64_C(951782399999),      "Mon, 28 Feb 2000 23:59:59 +0000", "2000-02-28T23:59:59.999Z"},
	{UINT64_C(951782400000),      "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.000Z"},
	{UINT64_C(2147483648001),     "Tue, 19 Jan 2038 03:14:08 +0000", "2038-01-19T03:14:08.001Z"},
	{UINT64_C(4107542399000),     "Sun, 28 Feb 2100 23:59:59 +0000", "2100-02-28T23:59:59.000Z"},
	{UINT64_C(4107542400000),     "Mon, 01 Mar 2100 00:00:00 +0000", "2100-03-01T00:00:00.000Z"},
	/* clang-format on */
};

static void writes_utc(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 100);
	for (size_t i = 0; i < countof(cases); i++) {
		buf_clear(&out);
		date_rfc5322(&out, cases[i].unix_ms);
		assert_string_equal(buf_cstr(&out), cases[i].rfc5322);
		buf_clear(&out);
		date_rfc3339(&out, cases[i].unix_ms);
		assert_string_equal(buf_cstr(&out), cases[i].rfc3339);
	}
	buf_fini(&out);
}

static void the_zone_of_the_machine_does_not_matter(void **state)
{
	setenv("TZ", "America/St_Johns", 1);
	tzset();
	writes_utc(state);
	unsetenv("TZ");
	tzset();
}

static void the_largest_number_is_no_accident(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 100);
	date_rfc5322(&out, UINT64_MAX);
	assert_false(buf_over(&out));
	buf_clear(&out);
	date_rfc3339(&out, UINT64_MAX);
	assert_string_equal(buf_cstr(&out), "584556019-04-03T14:25:51.615Z");
	buf_fini(&out);
}

#define AT UINT64_C(1795292023000) /* 20:13:43 UTC */

static const struct {
	const char *text;
	uint64_t unix_ms; /* 0: is not read */
} read_cases[] = {
	/* clang-format off */
	{"Sat, 21 Nov 2026 20:13:43 +0000", AT},
	{"Sat, 21 Nov 2026 20:13:43 +0000 (UTC)", AT},
	{"Sat, 21 Nov 2026 15:13:43 -0500 (Eastern Standard Time)", AT},
	{"Sun, 22 Nov 2026 01:43:43 +0530", AT},
	{"21 Nov 2026 20:13:43 GMT", AT},
	{"  sat, 21 NOV 2026\r\n\t20:13:43 ut\r\n", AT},
	{"Sat, 21 Nov 2026 20:13 +0000", AT - 43000},
	{"1 Jan 1970 00:00:01 +0000", 1000},
	{"Thu, 31 Dec 1998 23:59:60 +0000", UINT64_C(915148800000)},
	{"31 Dec 9999 23:59:59 -2359", UINT64_C(253402387139000)},
	{"", 0}, {" ", 0}, {"Sat,", 0}, {"Sat, 21", 0}, {"Sat, 21 Nov", 0}, {"Sat, 21 Nov 2026", 0},
	{"Sat, 21 Nov 2026 20:13:43", 0},
	{"Xyz, 21 Nov 2026 20:13:43 +0000", 0},
	{"Sat 21 Nov 2026 20:13:43 +0000", 0},
	{"Sat, 0 Nov 2026 20:13:43 +0000", 0},
	{"Sat, 32 Nov 2026 20:13:43 +0000", 0},
	{"Sat, 021 Nov 2026 20:13:43 +0000", 0},
	{"Sat, 21 November 2026 20:13:43 +0000", 0},
	{"Sat, 21 Nov 26 20:13:43 +0000", 0},
	{"Sat, 21 Nov 12026 20:13:43 +0000", 0},
	{"Sat, 21 Nov 2026 24:13:43 +0000", 0},
	{"Sat, 21 Nov 2026 20:60:43 +0000", 0},
	{"Sat, 21 Nov 2026 20:13:61 +0000", 0},
	{"Sat, 21 Nov 2026 20:13:43:00 +0000", 0},
	{"Sat, 21 Nov 2026 20:13:43 +000", 0},
	{"Sat, 21 Nov 2026 20:13:43 0000", 0},
	{"Sat, 21 Nov 2026 20:13:43 +00-1", 0},
	{"Sat, 21 Nov 2026 20:13:43 +2460", 0},
	{"Sat, 21 Nov 2026 20:13:43 EST", 0},
	{"Sat, 21 Nov 2026 20:13:43 +0000 and more", 0},
	{"1 Jan 1970 00:00:00 +0001", 0},
	{"31 Dec 1969 23:59:59 +0000", 0},
	/* clang-format on */
};

static void reads_what_mtas_write(void **state UNUSED)
{
	for (size_t i = 0; i < countof(read_cases); i++) {
		const char *text = read_cases[i].text;
		uint64_t unix_ms = 0;
		size_t n = strlen(text);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */

		memcpy(exact, text, n);

		bool ok = date_parse((struct str){exact, n}, &unix_ms);

		xfree(&exact);
		if (ok != (read_cases[i].unix_ms != 0))
			fail_msg("%s", text);
		if (ok && unix_ms != read_cases[i].unix_ms)
			fail_msg("%s: %llu", text, (unsigned long long)unix_ms);
	}
}

static void reads_what_it_writes(void **state UNUSED)
{
	struct buf out;
	uint64_t unix_ms;

	buf_init(&out, 100);
	for (size_t i = 0; i < countof(cases); i++) {
		buf_clear(&out);
		date_rfc5322(&out, cases[i].unix_ms);
		assert_true(date_parse(buf_str(&out), &unix_ms));
		assert_true(unix_ms == cases[i].unix_ms / 1000 * 1000);
	}
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_utc),
		cmocka_unit_test(the_zone_of_the_machine_does_not_matter),
		cmocka_unit_test(the_largest_number_is_no_accident),
		cmocka_unit_test(reads_what_mtas_write),
		cmocka_unit_test(reads_what_it_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
