/* SPDX-License-Identifier: ISC */
#include "mail/encoded_word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text, *utf8;
} cases[] = {
	/* clang-format off */
	{"", ""},
	{"plain", "plain"},
	{"=?utf-8?q?gr=C3=BC=C3=9Fe?=", "grüße"},
	{"=?UTF-8?B?Z3LDvMOfZQ==?=", "grüße"},
	{"=?iso-8859-1?Q?gr=FC=DFe?=", "grüße"},
	{"a =?utf-8?q?b?= c", "a b c"},
	{"a=?utf-8?q?b?=c", "abc"},
	{"=?utf-8?q?a_b=5F?=", "a b_"},
	{"=?utf-8?q?a_?=x", "a x"},
	{"=?utf-8?q?a=?=x", "ax"},
	{"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
	{"=?utf-8?q?a?=\r\n =?utf-8?b?Yg==?=", "ab"},
	{"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"},
	{"=?utf-8?q?a?= =?iso-8859-1?q?=FC?=", "aü"},
	{"=?utf-8?b?w7w=?= =?utf-8?b?w58=?=", "üß"},
	/* a character in two words */
	{"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"},
	{"=?utf-8*en?q?x?=", "x"},
	{"=?utf-8?q?" "?=", ""},
	{"=?utf-8?q?a b?=", "a b"},
	/* no words */
	{"=?", "=?"},
	{"=?=", "=?="},
	{"=?utf-8?q?", "=?utf-8?q?"},
	{"=?utf-8?q?a", "=?utf-8?q?a"},
	{"=?utf-8?q?a?", "=?utf-8?q?a?"},
	{"=?utf-8?x?a?=", "=?utf-8?x?a?="},
	{"=?" "?q?a?=", "=?" "?q?a?="},
	{"=?utf 8?q?a?=", "=?utf 8?q?a?="},
	{"=?a?q?=?utf-8?q?x?=", "=?a?q?x"},
	{"\xff", "\xef\xbf\xbd"},
	{"=?utf-8?q?=FF?=", "\xef\xbf\xbd"},
	/* clang-format on */
};

static void decodes(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].text);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct buf out;

		memcpy(exact, cases[i].text, n);
		buf_init(&out, 1000);
		encoded_word_decode((struct str){exact, n}, &out);
		print_message("# %s\n", cases[i].text);
		assert_string_equal(buf_cstr(&out), cases[i].utf8);
		buf_fini(&out);
		xfree(&exact);
	}
}

static const struct {
	const char *text, *value;
} encode_cases[] = {
	/* clang-format off */
	{"", ""},
	{"plain", "plain"},
	{"gr\xc3\xbc\xc3\x9f", "=?utf-8?b?Z3LDvMOf?="},
	{"a =?x", "=?utf-8?b?YSA9P3g=?="},
	{"a\r\nb\tc", "a  b c"},
	{"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
	 "0123456789 0123456789 0123456789 0123456789 0123456789\r\n 0123456789 0123456789"},
	/* clang-format on */
};

static void encodes(void **state UNUSED)
{
	for (size_t i = 0; i < countof(encode_cases); i++) {
		struct buf out;

		buf_init(&out, 1000);
		encoded_word_encode(str_of(encode_cases[i].text), 12, &out);
		assert_string_equal(buf_cstr(&out), encode_cases[i].value);
		buf_fini(&out);
	}
}

/* Whatever the text, lines are short enough and it comes back. */
static void what_was_encoded_comes_back(void **state UNUSED)
{
	for (size_t n = 0; n < 300; n++) {
		struct buf text, out, unfolded, back;

		buf_init(&text, 1000);
		buf_init(&out, 10000);
		buf_init(&unfolded, 10000);
		buf_init(&back, 10000);
		for (size_t i = 0; i < n; i++)
			buf_put(&text, i % 3 == 0 ? STR("\xe2\x82\xac")
				       : i % 7    ? STR("x")
						  : STR(" "));
		encoded_word_encode(buf_str(&text), 20, &out);
		for (size_t i = 0, line = 20; i < out.n; i++) {
			line = out.p[i] == '\n' ? 0 : line + 1;
			assert_true(line <= 77); /* with CR */
			if (out.p[i] != '\r' && out.p[i] != '\n')
				buf_putc(&unfolded, out.p[i]);
		}
		encoded_word_decode(buf_str(&unfolded), &back);
		assert_true(str_eq(buf_str(&back), buf_str(&text)));
		buf_fini(&back);
		buf_fini(&unfolded);
		buf_fini(&out);
		buf_fini(&text);
	}
}

/* A field made of beginnings is read in one pass: a megabyte of it would take minutes. */
static void many_beginnings_are_read_once(void **state UNUSED)
{
	struct buf text, out;

	buf_init(&text, 4 << 20);
	buf_init(&out, 8 << 20);
	for (size_t i = 0; i < 200000; i++)
		buf_put(&text, STR("=?a?q?"));
	encoded_word_decode(buf_str(&text), &out);
	assert_true(str_eq(buf_str(&text), buf_str(&out)));
	buf_fini(&out);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes),
		cmocka_unit_test(encodes),
		cmocka_unit_test(what_was_encoded_comes_back),
		cmocka_unit_test(many_beginnings_are_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
