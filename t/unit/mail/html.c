/* SPDX-License-Identifier: ISC */
#include "mail/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *html, *text;
} cases[] = {
	/* clang-format off */
	{"", ""},
	{"plain", "plain"},
	{"a  b\r\n\tc", "a b c"},
	{"<p>a</p><p>b</p>", "a b "},
	{"a<br>b", "a b"},
	{"a<b>c</b>d", "acd"},
	{"a<B CLASS=\"x>y\">c</b>", "ac"},
	{"a<!-- <b> -->c", "ac"},
	{"a<!-- open", "a"},
	{"a<script>if (a < b) x();</script>c", "a c"},
	{"a<STYLE>p {}</Style>c", "a c"},
	{"a<style>p {}</sty></style>c", "a c"},
	{"<head><title>t</title></head>x", "x"},
	{"a<script>open", "a "},
	{"a &amp; b &lt;c&gt;", "a & b <c>"},
	{"&uuml;&Uuml;&szlig;&euro;", "üÜß€"},
	{"&#252;&#xFC;&#x1F600;", "üü😀"},
	{"&#0;x", "x"},
	{"a&#1114112;&#xd800;", "a\xef\xbf\xbd\xef\xbf\xbd"},
	{"a&nbsp;b", "a b"},
	{"a & b &unknown; &;", "a & b &unknown; &;"},
	{"a &amp", "a &amp"},
	{"a<", "a "},
	{"a<p", "a "},
	{"a</", "a "},
	/* clang-format on */
};

static void leaves_the_text(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].html);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct buf out;

		memcpy(exact, cases[i].html, n);
		buf_init(&out, n);
		html_text((struct str){exact, n}, &out);
		print_message("# %s\n", cases[i].html);
		assert_false(buf_over(&out));
		assert_string_equal(buf_cstr(&out), cases[i].text);
		buf_fini(&out);
		xfree(&exact);
	}
}

static void what_does_not_end_is_read_once(void **state UNUSED)
{
	static const char *const pieces[] = {"<",  "&",     "<!--", "<script>",
					     "</", "<p \"", "&#"};

	for (size_t i = 0; i < countof(pieces); i++) {
		struct buf html, out;

		buf_init(&html, 8 << 20);
		buf_init(&out, 8 << 20);
		for (size_t k = 0; k < 300000; k++)
			buf_put(&html, str_of(pieces[i]));
		html_text(buf_str(&html), &out);
		assert_false(buf_over(&out));
		buf_fini(&out);
		buf_fini(&html);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_the_text),
		cmocka_unit_test(what_does_not_end_is_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
