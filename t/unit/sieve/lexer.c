/* SPDX-License-Identifier: ISC */
#include "sieve/lexer_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Tokens as written below, parted by blanks; errors as !LINE:COLUMN. */
static const struct {
	const char *text, *tokens;
} cases[] = {
	/* clang-format off */
	{"", ""},
	{" \t\r\n", ""},
	{"keep;", "keep ;"},
	{"_a1 B", "_a1 B"},
	{":tag", ":tag"},
	{":1", "!1:1 1"},
	{": a", "!1:1 a"},
	{"1 2k 3M 1G", "1 2048 3145728 1073741824"},
	{"1x", "!1:1"},
	{"1kk", "!1:1"},
	{"18446744073709551616", "!1:1"},
	{"9223372036854775807", "9223372036854775807"},
	{"\"a\"", "'a'"},
	{"\"\"", "''"},
	{"\"a\\\"b\\\\c\\d\"", "'a\"b\\cd'"},
	{"\"a\nb\r\nc\"", "'a\r\nb\r\nc'"},
	{"\"a\rb\"", "'a\rb'"},
	{"\"a", "!1:1"},
	{"\"a\\\"", "!1:1"},
	{"\"\xff\"", "!1:1"},
	{"text:\na\n.\n;", "'a\r\n' ;"},
	{"text: \t# x\r\na\r\n.\r\n", "'a\r\n'"},
	{"TEXT:\n.\n", "''"},
	{"text:\n.", "''"},
	{"text:\n..a\n...\n.b\n.\n", "'.a\r\n..\r\n.b\r\n'"},
	{"text:\na\n", "!1:1"},
	{"text: a\n.\n", "!1:1 a !2:1"},
	{"text", "text"},
	{"# x\na", "a"},
	{"# x", ""},
	{"/* x */a/**/b", "a b"},
	{"/* x\n", "!2:1"},
	{"/* x *", "!1:7"},
	{"/", "!1:1"},
	{"()[]{},;", "( ) [ ] { } , ;"},
	{"?a", "!1:1 a"},
	{"a\n  ?", "a !2:3"},
	{"\xc3\xbc", "!1:1 !1:2"},
	/* clang-format on */
};

static void put(struct buf *out, const struct token *t)
{
	switch (t->kind) {
	case TOKEN_IDENTIFIER:
		buf_put(out, t->text);
		break;
	case TOKEN_TAG:
		buf_printf(out, ":" STR_FMT, STR_ARG(t->text));
		break;
	case TOKEN_NUMBER:
		buf_printf(out, "%llu", (unsigned long long)t->number);
		break;
	case TOKEN_STRING:
		buf_printf(out, "'" STR_FMT "'", STR_ARG(t->text));
		break;
	case TOKEN_MARK:
		buf_putc(out, t->mark);
		break;
	case TOKEN_BAD:
		buf_printf(out, "!%u:%u", (unsigned)t->at.line, (unsigned)t->at.column);
		break;
	case TOKEN_END:
		break;
	}
}

static void takes_text_apart(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].text);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct sieve_errors errors = {0};
		struct arena a;
		struct lexer l;
		struct token t;
		struct buf out;

		memcpy(exact, cases[i].text, n);
		arena_init(&a, SIZE_MAX);
		buf_init(&out, 1000);
		lexer_init(&l, (struct str){exact, n}, &a, &errors);
		for (lexer_next(&l, &t); t.kind != TOKEN_END; lexer_next(&l, &t)) {
			if (out.n > 0)
				buf_putc(&out, ' ');
			put(&out, &t);
		}
		print_message("# %s\n", cases[i].text);
		assert_string_equal(buf_cstr(&out), cases[i].tokens);
		assert_int_equal(errors.n > 0, strchr(cases[i].tokens, '!') != NULL);
		buf_fini(&out);
		arena_fini(&a);
		sieve_errors_fini(&errors);
		xfree(&exact);
	}
}

static void a_NUL_is_no_part_of_a_script(void **state UNUSED)
{
	struct sieve_errors errors = {0};
	struct arena a;
	struct lexer l;
	struct token t;

	arena_init(&a, SIZE_MAX);
	lexer_init(&l, STR("\0\"a\0b\""), &a, &errors);
	lexer_next(&l, &t);
	assert_int_equal(t.kind, TOKEN_BAD);
	lexer_next(&l, &t);
	assert_int_equal(t.kind, TOKEN_BAD);
	assert_int_equal(errors.n, 2);
	arena_fini(&a);
	sieve_errors_fini(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_text_apart),
		cmocka_unit_test(a_NUL_is_no_part_of_a_script),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
