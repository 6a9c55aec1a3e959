/* SPDX-License-Identifier: ISC */
#include "mail/content.h"

#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text, *value, *param, *is; /* is NULL: not there */
} cases[] = {
	/* clang-format off */
	{"text/plain", "text/plain", "charset", NULL},
	{"Text/PLAIN; charset=UTF-8", "text/plain", "charset", "UTF-8"},
	{"text/plain;charset=\"utf-8\"", "text/plain", "charset", "utf-8"},
	{"text/plain ; CHARSET = utf-8 ", "text/plain", "charset", "utf-8"},
	{"text/plain (a;b) ; (x) charset (y) = (z) utf-8", "text/plain", "charset", "utf-8"},
	{"multipart/mixed; boundary=\"a; b=\\\"c\"", "multipart/mixed", "boundary", "a; b=\"c"},
	{"a/b; x=1; y=2; x=3", "a/b", "x", "1"},
	{"a/b; x; y=2", "a/b", "y", "2"},
	{"a/b; x; y=2", "a/b", "x", NULL},
	{"a/b;;; x=1", "a/b", "x", "1"},
	{"a/b; xy=1", "a/b", "x", NULL},
	{"a/b; x=\"open", "a/b", "x", "open"},
	{"a/b; x=(open", "a/b", "x", ""},
	{"", "", "x", NULL},
	{"; x=1", "", "x", "1"},
	/* RFC 2231 */
	{"a/b; n*=utf-8'de'gr%C3%BC%C3%9Fe", "a/b", "n", "grüße"},
	{"a/b; n*=iso-8859-1''gr%FC%DFe", "a/b", "n", "grüße"},
	{"a/b; n*0=one; n*1=two", "a/b", "n", "onetwo"},
	{"a/b; n*1=two; n*0=one", "a/b", "n", "onetwo"},
	{"a/b; n*0*=utf-8''gr%C3; n*1*=%BC; n*2=x", "a/b", "n", "grüx"},
	{"a/b; n*0=one; n*2=three", "a/b", "n", "one"},
	{"a/b; n*1=two", "a/b", "n", NULL},
	{"a/b; n*=utf-8''100%", "a/b", "n", "100%"},
	{"a/b; n*=no-quotes", "a/b", "n", ""},
	/* clang-format on */
};

static void takes_apart(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].text);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct arena a;
		struct content c;
		struct str value;

		memcpy(exact, cases[i].text, n);
		arena_init(&a, SIZE_MAX);
		content_parse(&c, &a, (struct str){exact, n});
		xfree(&exact);

		bool found = content_param(&c, &a, str_of(cases[i].param), &value);

		print_message("# %s\n", cases[i].text);
		assert_true(str_eq(c.value, str_of(cases[i].value)));
		assert_int_equal(found, cases[i].is != NULL);
		if (found)
			assert_true(str_eq(value, str_of(cases[i].is)));
		arena_fini(&a);
	}
}

static void no_more_parameters_than_the_limit(void **state UNUSED)
{
	struct arena a;
	struct content c;
	struct buf text;

	arena_init(&a, SIZE_MAX);
	buf_init(&text, 1 << 20);
	buf_put(&text, STR("a/b"));
	for (size_t i = 0; i < 100000; i++)
		buf_put(&text, STR(";x=y"));
	content_parse(&c, &a, buf_str(&text));
	assert_int_equal(c.n, CONTENT_PARAMS);
	buf_fini(&text);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_apart),
		cmocka_unit_test(no_more_parameters_than_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
