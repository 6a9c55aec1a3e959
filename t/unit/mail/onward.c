/* SPDX-License-Identifier: ISC */
#include "mail/onward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool ask(const char *text, bool (*what)(const struct header *h, struct str s),
		const char *about)
{
	struct str all = str_of(text);
	struct arena arena;
	struct header h;
	bool yes;

	arena_init(&arena, SIZE_MAX);
	header_parse(&h, &arena, &all, true);
	yes = what(&h, str_of(about));
	arena_fini(&arena);
	return yes;
}

static void a_mark_is_found(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 1000);
	onward_put_mark(STR("Alice@example.org"), &out);
	onward_put_mark(STR("x\r\ny: z@example.org"), &out);
	assert_string_equal(buf_cstr(&out), "X-Popstore-Loop: Alice@example.org\r\n"
					    "X-Popstore-Loop: x??y: z@example.org\r\n");
	buf_put(&out, STR("\r\nX-Popstore-Loop: body@example.org\r\n"));
	assert_true(ask(buf_cstr(&out), onward_has_mark, "alice@EXAMPLE.org"));
	assert_true(ask(buf_cstr(&out), onward_has_mark, "x\r\ny: z@example.org"));
	assert_false(ask(buf_cstr(&out), onward_has_mark, "lice@example.org"));
	assert_false(ask(buf_cstr(&out), onward_has_mark, "body@example.org"));
	assert_false(ask("Subject: x\r\n\r\n", onward_has_mark, ""));
	buf_fini(&out);
}

static void dmarc_is_what_our_mta_says(void **state UNUSED)
{
	static const struct {
		const char *fields;
		bool failed;
	} rows[] = {
		/* clang-format off */
		{"", false},
		{"Authentication-Results: mx.example.org; dmarc=fail", true},
		{"Authentication-Results: MX.example.org 1; spf=pass smtp.mailfrom=a; dmarc=fail (p=none) header.from=b", true},
		{"authentication-results: mx.example.org;\r\n\tdkim=fail;\r\n\tdmarc = fail\r\n", true},
		{"Authentication-Results: (me) mx.example.org (v; dmarc=pass); dmarc/1=FAIL", true},
		{"Authentication-Results: \"mx.example.org\"; dmarc=fail", true},
		{"Authentication-Results: mx.example.org; dmarc=pass\r\nAuthentication-Results: mx.example.org; dmarc=fail", true},
		{"Authentication-Results: mx.example.org; dmarc=pass", false},
		{"Authentication-Results: mx.example.org; none", false},
		{"Authentication-Results: mx.example.org; dmarc=failing", false},
		{"Authentication-Results: mx.example.org; xdmarc=fail", false},
		{"Authentication-Results: mx.example.org; spf=fail", false},
		{"Authentication-Results: mx.example.org; spf=pass (x; dmarc=fail)", false},
		{"Authentication-Results: mx.example.org; spf=pass (x (y) \\); dmarc=fail)", false},
		{"Authentication-Results: mx.example.org; spf=pass reason=\"; dmarc=fail\"", false},
		{"Authentication-Results: mx.example.org; spf=pass reason=\"\\\"; dmarc=fail;\"", false},
		{"Authentication-Results: mx.example.com; dmarc=fail", false},
		{"Authentication-Results: mx.example.org.evil.example; dmarc=fail", false},
		{"X-Authentication-Results: mx.example.org; dmarc=fail", false},
		{"Subject: x\r\n\r\nAuthentication-Results: mx.example.org; dmarc=fail", false},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		char text[400];

		snprintf(text, sizeof text, "From: a@b\r\n%s\r\n\r\n", rows[i].fields);
		if (ask(text, onward_failed_dmarc, "mx.example.org") != rows[i].failed)
			fail_msg("%s", rows[i].fields);
	}
}

static void it_goes_on_or_not(void **state UNUSED)
{
	static const char text[] = "X-Popstore-Loop: a@example.org\r\n"
				   "Authentication-Results: mx; dmarc=fail\r\n\r\n";
	static const struct {
		const char *address, *authserv, *word;
	} rows[] = {
		{"a@example.org", "mx", "loop"},  {"a@example.org", "", "loop"},
		{"b@example.org", "mx", "dmarc"}, {"b@example.org", "", NULL},
		{"b@example.org", "other", NULL},
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct str body = str_of(text);
		const char *word;
		struct arena arena;
		struct header h;

		arena_init(&arena, SIZE_MAX);
		header_parse(&h, &arena, &body, true);
		word = onward_word(onward_judge(&h, str_of(rows[i].address),
						str_of(rows[i].authserv)));
		arena_fini(&arena);
		if (word != rows[i].word && (word == NULL || rows[i].word == NULL ||
					     strcmp(word, rows[i].word) != 0))
			fail_msg("row %zu: %s", i, word != NULL ? word : "-");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_found),
		cmocka_unit_test(dmarc_is_what_our_mta_says),
		cmocka_unit_test(it_goes_on_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
