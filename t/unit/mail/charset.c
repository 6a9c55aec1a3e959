/* SPDX-License-Identifier: ISC */
#include "mail/charset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *charset;
	struct str text;
	const char *utf8;
} cases[] = {
	/* clang-format off */
	{"", STR_INIT("abc"), "abc"},
	{"utf-8", STR_INIT("gr\xc3\xbc\xc3\x9f"), "grüß"},
	{"UTF-8", STR_INIT("a\xffz"), "a\xef\xbf\xbdz"},
	{"us-ascii", STR_INIT("gr\xc3\xbc"), "grü"},
	{"us-ascii", STR_INIT("\xc3"), "\xef\xbf\xbd"},
	{"utf-8", STR_INIT("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{"iso-8859-1", STR_INIT("gr\xfc\xdf"), "grüß"},
	{"Windows-1252", STR_INIT("\x80 \x93x\x94"), "€ “x”"},
	{"iso-8859-15", STR_INIT("\xa4"), "€"},
	{"koi8-r", STR_INIT("\xed\xc9\xd2"), "Мир"},
	{"iso-2022-jp", STR_INIT("\x1b$B$3\x1b(B"), "こ"},
	{"utf-16be", STR_INIT("\0a\x20\xac"), "a€"},
	{"utf-16be", STR_INIT("\0a\x20"), "a\xef\xbf\xbd"},
	{"gb2312", STR_INIT("\xff\xff!"), "\xef\xbf\xbd\xef\xbf\xbd!"},
	{"no-such-set", STR_INIT("a\xc3\xbc\xff"), "aü\xef\xbf\xbd"},
	{"utf-16be//TRANSLIT", STR_INIT("ab"), "ab"},
	{"../../etc/x", STR_INIT("ab"), "ab"},
	{"koi8-r,utf-8", STR_INIT("ab"), "ab"},
	/* clang-format on */
};

static void becomes_utf8(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct buf out;
		char *exact = xalloc(
			cases[i].text.n); /* so that ASan sees a read past the end */

		memcpy(exact, cases[i].text.p, cases[i].text.n);
		buf_init(&out, 1000);
		charset_decode(str_of(cases[i].charset),
			       (struct str){exact, cases[i].text.n}, &out);
		print_message("# %s\n", cases[i].charset);
		assert_string_equal(buf_cstr(&out), cases[i].utf8);
		buf_fini(&out);
		xfree(&exact);
	}
}

/* Pieces of 512 octets are converted at a time; a character may lie on the border. */
static void a_long_text_has_no_seams(void **state UNUSED)
{
	struct buf out, text;

	buf_init(&text, 20000);
	buf_init(&out, 40000);
	for (size_t i = 0; i < 5000; i++)
		buf_put(&text, i % 7 == 0 ? STR("\xd5") : STR("a"));
	charset_decode(STR("koi8-r"), buf_str(&text), &out);
	assert_int_equal(out.n, 5000 + (5000 + 6) / 7);
	assert_true(str_is_utf8(buf_str(&out)));
	buf_fini(&out);
	buf_fini(&text);
}

static void stops_at_the_limit(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 3);
	charset_decode(STR("koi8-r"), STR("\xd5\xd5\xd5\xd5"), &out);
	assert_true(buf_over(&out));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(becomes_utf8),
		cmocka_unit_test(a_long_text_has_no_seams),
		cmocka_unit_test(stops_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
