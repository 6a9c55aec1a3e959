/* SPDX-License-Identifier: ISC */
#include "mail/address_list.h"

#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Addresses as local|domain, parted by blanks. */
static const struct {
	const char *text, *addresses;
} cases[] = {
	/* clang-format off */
	{"", ""},
	{"a@b", "a|b"},
	{"<a@b>", "a|b"},
	{"A Name <a@b>", "a|b"},
	{"\"Name, A\" <a@b>, c@d", "a|b c|d"},
	{"A. N. Other <a@b>", "a|b"},
	{"=?utf-8?q?x?= <a@b>", "a|b"},
	{"gr\xc3\xbc\xc3\x9f <a@b>", "a|b"},
	{"a@b (comment), c@d (x (y) z)", "a|b c|d"},
	{"(a) a (b) @ (c) b (d)", "a|b"},
	{"(a@b) c@d", "c|d"},
	{"a . b @ c . d", "a.b|c.d"},
	{"\"a b\"@c", "a b|c"},
	{"\"a\\\"b\"@c", "a\"b|c"},
	{"a@[192.0.2.1]", "a|[192.0.2.1]"},
	{"<@x,@y:a@b>", "a|b"},
	{"friends: a@b, c@d;, e@f", "a|b c|d e|f"},
	{"undisclosed-recipients:;", ""},
	{"a@b;c@d", "a|b c|d"},
	{",,a@b,,", "a|b"},
	{"a..b@c", "a..b|c"},
	{"<>", ""},
	{"name", ""},
	{"a b@c", ""},
	{"a@b c@d", ""},
	{"<a b@c>", ""},
	{"<a@b", ""},
	{"a@", ""},
	{"@b", ""},
	{"a@b(", "a|b"},
	{"\"a", ""},
	{"a\\b@c", "a\\b|c"},
	{"x <a@b> y, c@d", "a|b c|d"},
	{"a:a:a:a:b@c", "b|c"},
	{"a@b <c@d>", "c|d"},
	{"a@b@c, d@e", "d|e"},
	/* clang-format on */
};

static void finds_addresses(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].text);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct arena a;
		struct buf out;

		memcpy(exact, cases[i].text, n);
		arena_init(&a, SIZE_MAX);
		buf_init(&out, 1000);

		const struct address_list *l =
			address_list_parse(&a, (struct str){exact, n});

		for (size_t k = 0; k < l->n; k++)
			buf_printf(&out, "%s" STR_FMT "|" STR_FMT, k > 0 ? " " : "",
				   STR_ARG(l->list[k].local), STR_ARG(l->list[k].domain));
		print_message("# %s\n", cases[i].text);
		assert_string_equal(buf_cstr(&out), cases[i].addresses);
		buf_fini(&out);
		arena_fini(&a);
		xfree(&exact);
	}
}

static const struct address_list *parse_many(struct arena *a, const char *piece,
					     size_t times)
{
	const struct address_list *l;
	struct buf text;

	buf_init(&text, 16 << 20);
	for (size_t i = 0; i < times; i++)
		buf_put(&text, str_of(piece));
	l = address_list_parse(a, buf_str(&text));
	buf_fini(&text);
	return l;
}

/* What makes other parsers recurse or look back: nested groups, comments, open quotes. */
static void what_nests_is_read_once(void **state UNUSED)
{
	static const char *const pieces[] = {"a:", "(",  "<",   "\"",
					     "a@", "<@", "(\\", "a "};
	struct arena a;

	arena_init(&a, SIZE_MAX);
	for (size_t i = 0; i < countof(pieces); i++)
		assert_int_equal(parse_many(&a, pieces[i], 200000)->n, 0);
	arena_fini(&a);
}

static void no_more_than_the_limit(void **state UNUSED)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);
	assert_int_equal(parse_many(&a, "a@b,", 20000)->n, ADDRESS_LIST_MAX);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_addresses),
		cmocka_unit_test(what_nests_is_read_once),
		cmocka_unit_test(no_more_than_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
