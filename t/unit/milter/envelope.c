/* SPDX-License-Identifier: ISC */
#include "milter/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void the_announced_size_is_found(void **state)
{
	/* clang-format off */
	static const struct {
		const char *words[4];
		uint64_t size;
	} cases[] = {
		{{NULL}, 0},
		{{"BODY=8BITMIME"}, 0},
		{{"SIZE=12345"}, 12345},
		{{"BODY=8BITMIME", "size=7", "SMTPUTF8"}, 7},
		{{"SIZE=0"}, 0},
		{{"SIZE="}, 0},
		{{"SIZE=12x"}, 0},
		{{"SIZE=-1"}, 0},
		{{"SIZE"}, 0},
		{{"XSIZE=5"}, 0},
		{{"SIZE=18446744073709551615"}, UINT64_MAX},
		{{"SIZE=18446744073709551616"}, UINT64_MAX},
		{{"SIZE=99999999999999999999999"}, UINT64_MAX},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		char *words[4] = {NULL};

		for (size_t k = 0; cases[i].words[k] != NULL; k++)
			words[k] = xstrdup(cases[i].words[k]);
		printf("# %s\n", words[0] ? words[0] : "");
		assert_int_equal(envelope_size(words), cases[i].size);
		for (size_t k = 0; k < countof(words); k++)
			xfree(&words[k]);
	}
}

static void the_address_loses_its_brackets(void **state)
{
	static const char *const cases[][2] = {
		{"<alice@example.org>", "alice@example.org"},
		{"alice@example.org", "alice@example.org"},
		{" <alice@example.org> ", "alice@example.org"},
		{"<\"a>b\"@example.org>", "\"a>b\"@example.org"},
		{"<@x,@y:alice@example.org>", "@x,@y:alice@example.org"},
		{"<>", ""},
		{"", ""},
		{"<alice@example.org", "<alice@example.org"},
		{"<alice@example.org>x", "<alice@example.org>x"},
		{"<\"alice@example.org>", "<\"alice@example.org>"},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		printf("# %s\n", cases[i][0]);
		assert_true(str_eq(envelope_address(cases[i][0]), str_of(cases[i][1])));
	}
}

static void verdicts_become_replies(void **state)
{
	/* clang-format off */
	static const struct {
		struct verdict v;
		struct envelope_reply want;
	} cases[] = {
		{{VERDICT_OK, .smtp = 250, .dsn = "2.1.5", .text = "ok"},              {ENVELOPE_CONTINUE, "", "", ""}},
		{{VERDICT_FORWARD, .smtp = 250, .dsn = "2.1.5", .text = "ok"},         {ENVELOPE_CONTINUE, "", "", ""}},
		{{VERDICT_NOT_OURS, .smtp = 550, .dsn = "5.1.2", .text = "not ours"},  {ENVELOPE_CONTINUE, "", "", ""}},
		{{VERDICT_BAD_ADDRESS, .smtp = 553, .dsn = "5.1.3", .text = "bad"},    {ENVELOPE_REJECT, "553", "5.1.3", "bad"}},
		{{VERDICT_NO_USER, .smtp = 550, .dsn = "5.1.1", .text = "no"},         {ENVELOPE_REJECT, "550", "5.1.1", "no"}},
		{{VERDICT_NOT_RECEIVING, .smtp = 550, .dsn = "5.2.1", .text = "off"},  {ENVELOPE_REJECT, "550", "5.2.1", "off"}},
		{{VERDICT_OVER_QUOTA, .smtp = 452, .dsn = "4.2.2", .text = "full"},    {ENVELOPE_TEMPFAIL, "452", "4.2.2", "full"}},
		{{VERDICT_OVER_QUOTA, .smtp = 552, .dsn = "5.2.2", .text = "full"},    {ENVELOPE_REJECT, "552", "5.2.2", "full"}},
		{{VERDICT_TOO_LARGE, .smtp = 552, .dsn = "5.2.3", .text = "large"},    {ENVELOPE_REJECT, "552", "5.2.3", "large"}},
		{{VERDICT_TRY_AGAIN, .smtp = 451, .dsn = "4.3.0", .text = "later"},    {ENVELOPE_TEMPFAIL, "451", "4.3.0", "later"}},
		{{VERDICT_OVER_QUOTA, .smtp = 452, .dsn = "4.2.2", .text = "100% full%"}, {ENVELOPE_TEMPFAIL, "452", "4.2.2", "100%% full%%"}},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct envelope_reply got;

		memset(&got, 'x', sizeof got);
		envelope_reply(&cases[i].v, &got);
		assert_int_equal(got.action, cases[i].want.action);
		assert_string_equal(got.code, cases[i].want.code);
		assert_string_equal(got.dsn, cases[i].want.dsn);
		assert_string_equal(got.text, cases[i].want.text);
	}
}

/* A text that does not fit is cut, and not in the middle of a doubled '%'. */
static void a_long_text_is_cut(void **state)
{
	char text[600];
	struct verdict v = {VERDICT_NO_USER, .smtp = 550, .dsn = "5.1.1", .text = text};
	struct envelope_reply r;

	(void)state;
	for (size_t start = 0; start < 2; start++) {
		memset(text, '%', sizeof text);
		memset(text, 'x', start);
		text[sizeof text - 1] = '\0';
		envelope_reply(&v, &r);
		assert_in_range(strlen(r.text), sizeof r.text - 3, sizeof r.text - 1);
		assert_int_equal((strlen(r.text) - start) % 2, 0);
	}
}

static void a_script_says_why(void **state)
{
	static const char *const rows[][2] = {
		{"no", "no"},
		{"100% %s", "100%% %%s"},
	};
	char text[401];
	struct envelope_reply r;

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		envelope_refuse(rows[i][0], &r);
		assert_int_equal(r.action, ENVELOPE_REJECT);
		assert_string_equal(r.code, "550");
		assert_string_equal(r.dsn, "5.7.1");
		assert_string_equal(r.text, rows[i][1]);
	}
	/* All that a script may say (filter/filter.h). */
	memset(text, '%', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	envelope_refuse(text, &r);
	assert_int_equal(strlen(r.text), 2 * strlen(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_script_says_why),
		cmocka_unit_test(the_announced_size_is_found),
		cmocka_unit_test(the_address_loses_its_brackets),
		cmocka_unit_test(verdicts_become_replies),
		cmocka_unit_test(a_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
