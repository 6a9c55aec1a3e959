/* SPDX-License-Identifier: ISC */
#include "mail/header.h"

#include "lib/buf.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Fields as name|value, parted by "; ", and what is behind the header. */
static const struct {
	const char *name, *text, *fields, *rest;
} cases[] = {
	/* clang-format off */
	{"nothing", "", "", ""},
	{"no header", "\r\nbody", "", "body"},
	{"one", "A: b\r\n\r\nbody", "A|b", "body"},
	{"lines that end in LF", "A: b\nC: d\n\nbody", "A|b; C|d", "body"},
	{"no body", "A: b\r\n", "A|b", ""},
	{"no end of the line", "A: b", "A|b", ""},
	{"folded", "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", "A|b c\td; E|f", ""},
	{"folded at once", "A:\r\n b\r\n\r\n", "A|b", ""},
	{"empty", "A:\r\nB: \t\r\n\r\n", "A|; B|", ""},
	{"no blank", "A:b\r\n\r\n", "A|b", ""},
	{"blanks before the colon", "A  : b\r\n\r\n", "A|b", ""},
	{"a colon in the value", "A: b: c\r\n\r\n", "A|b: c", ""},
	{"encoded", "A: =?utf-8?q?=C3=BC?=\r\n\r\n", "A|ü", ""},
	{"8 bit", "A: \xc3\xbc \xff\r\n\r\n", "A|ü \xef\xbf\xbd", ""},
	{"the line of an mbox", "From a Sat Nov 21\r\nA: b\r\n\r\n", "A|b", ""},
	{"no colon", "A: b\r\nfoo\r\nC: d\r\n\r\n", "A|b; C|d", ""},
	{"a name with a blank", "a b: c\r\nD: e\r\n\r\n", "D|e", ""},
	{"no name", ": b\r\nC: d\r\n\r\n", "C|d", ""},
	{"a folded beginning", " a: b\r\nC: d\r\n\r\n", "a|b; C|d", ""},
	{"a bare CR", "A: b\rc\r\n\r\n", "A|b\rc", ""},
	/* clang-format on */
};

static void finds_fields(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].text);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct str rest = {exact, n};
		struct header h;
		struct arena a;
		struct buf out;

		memcpy(exact, cases[i].text, n);
		arena_init(&a, SIZE_MAX);
		buf_init(&out, 1000);
		header_parse(&h, &a, &rest, false);
		for (size_t k = 0; k < h.n; k++) {
			struct str value = field_value(&a, &h.fields[k]);

			buf_printf(&out, "%s" STR_FMT "|" STR_FMT, k > 0 ? "; " : "",
				   STR_ARG(h.fields[k].name), STR_ARG(value));
		}
		print_message("# %s\n", cases[i].name);
		assert_string_equal(buf_cstr(&out), cases[i].fields);
		assert_true(str_eq(rest, str_of(cases[i].rest)));
		buf_fini(&out);
		arena_fini(&a);
		xfree(&exact);
	}
}

static void finds_by_name_in_order(void **state UNUSED)
{
	struct str text = STR("A: 1\r\nB: 2\r\na: 3\r\n\r\n");
	struct header h;
	struct arena a;
	struct field *f;

	arena_init(&a, SIZE_MAX);
	header_parse(&h, &a, &text, false);
	f = header_find(&h, STR("a"), NULL);
	assert_true(f == &h.fields[0]);
	f = header_find(&h, STR("A"), f);
	assert_true(f == &h.fields[2]);
	assert_null(header_find(&h, STR("A"), f));
	assert_null(header_find(&h, STR("c"), NULL));
	arena_fini(&a);
}

/* Names of one bucket are told apart. */
static void a_bucket_may_hold_many(void **state UNUSED)
{
	struct header h;
	struct arena a;
	struct buf text;
	struct str rest;

	arena_init(&a, SIZE_MAX);
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&text, "X-%u: %u\r\n", i, i);
	rest = buf_str(&text);
	header_parse(&h, &a, &rest, false);
	for (unsigned i = 0; i < 1000; i++) {
		char name[20];

		snprintf(name, sizeof name, "x-%u", i);
		assert_true(header_find(&h, str_of(name), NULL) == &h.fields[i]);
	}
	buf_fini(&text);
	arena_fini(&a);
}

static void no_more_fields_than_the_limit(void **state UNUSED)
{
	struct header h;
	struct arena a;
	struct buf text;
	struct str rest;

	arena_init(&a, SIZE_MAX);
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < HEADER_FIELDS + 10; i++)
		buf_put(&text, STR("A: b\r\n"));
	buf_put(&text, STR("\r\nbody"));
	rest = buf_str(&text);
	header_parse(&h, &a, &rest, false);
	assert_int_equal(h.n, HEADER_FIELDS);
	assert_true(str_eq(rest, STR("body")));
	buf_fini(&text);
	arena_fini(&a);
}

static void a_stuffed_dot_is_no_part_of_a_name(void **state UNUSED)
{
	struct str text = STR("..x: 1\r\n\r\n");
	struct header h;
	struct arena a;

	arena_init(&a, SIZE_MAX);
	header_parse(&h, &a, &text, true);
	assert_true(str_eq(h.fields[0].name, STR(".x")));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_fields),
		cmocka_unit_test(finds_by_name_in_order),
		cmocka_unit_test(a_bucket_may_hold_many),
		cmocka_unit_test(no_more_fields_than_the_limit),
		cmocka_unit_test(a_stuffed_dot_is_no_part_of_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
