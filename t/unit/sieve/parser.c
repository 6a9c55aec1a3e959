/* SPDX-License-Identifier: ISC */
#include "sieve/parser_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The tree, in brackets: arguments, (tests), {block}; errors as LINE:COLUMN. */
static const struct {
	const char *text, *errors, *tree;
} cases[] = {
	/* clang-format off */
	{"", "", ""},
	{"keep;", "", "[keep]"},
	{"a 1 \"b\" :c [\"d\", \"e\"];", "", "[a 1 'b' :c 'd''e']"},
	{"if true { keep; stop; }", "", "[if ([true]){[keep][stop]}]"},
	{"if a \"x\" {} else {}", "", "[if ([a 'x']){}][else {}]"},
	{"if not not a {}", "", "[if ([not ([not ([a])])]){}]"},
	{"if anyof (a, b 1, allof (c)) {}", "", "[if ([anyof ([a][b 1][allof ([c])])]){}]"},
	{"a (b) {}", "", "[a ([b]){}]"},
	/* errors, and what is there beside them */
	{"a b c;", "", "[a ([b ([c])])]"},
	{"a b c 1 d;", "", "[a ([b ([c 1 ([d])])])]"},
	{"a; b 1 2 }; c;", "1:10 1:11", "[a][c]"},
	{"a", "1:2", ""},
	{"a; ; b;", "1:4", "[a][b]"},
	{"a { b; ", "1:8", ""},
	{"a [\"x\" \"y\"]; b;", "1:8", "[b]"},
	{"a [1]; b;", "1:4", "[b]"},
	{"a []; b;", "1:4", "[b]"},
	{"a (b; c;", "1:5", "[c]"},
	{"a (); c;", "1:4", "[c]"},
	{"a { ? { } b; } c;", "1:5", "[a {[b]}][c]"},
	{"}", "1:1", ""},
	{"} a;", "1:1", "[a]"},
	/* clang-format on */
};

static void put_tree(struct buf *out, const struct node *list, size_t n);

static void put_arg(struct buf *out, const struct arg *a)
{
	buf_putc(out, ' ');
	if (a->tag.n > 0)
		buf_printf(out, ":" STR_FMT, STR_ARG(a->tag));
	else if (a->kind == VALUE_NUMBER)
		buf_printf(out, "%llu", (unsigned long long)a->number);
	for (size_t i = 0; i < a->texts.n; i++)
		buf_printf(out, "'" STR_FMT "'", STR_ARG(a->texts.list[i].fixed));
}

static void put_node(struct buf *out, const struct node *n)
{
	buf_printf(out, "[" STR_FMT, STR_ARG(n->name));
	for (size_t i = 0; i < n->n_args; i++)
		put_arg(out, &n->args[i]);
	if (n->n_tests > 0) {
		buf_put(out, STR(" ("));
		put_tree(out, n->tests, n->n_tests);
		buf_putc(out, ')');
	}
	if (n->has_block) {
		buf_put(out, n->n_tests > 0 ? STR("{") : STR(" {"));
		put_tree(out, n->block, n->n_block);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static void put_tree(struct buf *out, const struct node *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_node(out, &list[i]);
}

static void parse(struct sieve_script *s, struct str text, struct sieve_errors *e)
{
	*s = (struct sieve_script){.site = &sieve_site_default};
	arena_init(&s->arena, SIZE_MAX);
	parser_run(s, text, e);
}

static void makes_a_tree(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct sieve_errors e = {0};
		struct sieve_script s;
		struct buf errors, tree;

		buf_init(&errors, 1000);
		buf_init(&tree, 1000);
		parse(&s, str_of(cases[i].text), &e);
		for (size_t k = 0; k < e.n; k++)
			buf_printf(&errors, "%s%u:%u", k > 0 ? " " : "",
				   (unsigned)e.list[k].line, (unsigned)e.list[k].column);
		put_tree(&tree, s.block, s.n_block);
		print_message("# %s\n", cases[i].text);
		assert_string_equal(buf_cstr(&errors), cases[i].errors);
		assert_string_equal(buf_cstr(&tree), cases[i].tree);
		arena_fini(&s.arena);
		sieve_errors_fini(&e);
		buf_fini(&tree);
		buf_fini(&errors);
	}
}

/* errors_of - a piece many times, then another one */
static size_t errors_of(const char *piece, size_t times, const char *end)
{
	struct sieve_errors e = {0};
	struct sieve_script s;
	struct buf text;
	size_t n;

	buf_init(&text, 8 << 20);
	for (size_t i = 0; i < times; i++)
		buf_put(&text, str_of(piece));
	buf_put(&text, str_of(end));
	parse(&s, buf_str(&text), &e);
	n = e.n;
	arena_fini(&s.arena);
	sieve_errors_fini(&e);
	buf_fini(&text);
	return n;
}

static void nesting_has_a_limit(void **state UNUSED)
{
	uint32_t max = sieve_site_default.limits.nesting;

	assert_int_equal(errors_of("a {", max, ""), 1);
	assert_int_equal(errors_of("a {", max + 1, ""), 2);
	assert_true(errors_of("a {", 100000, "") >= 1);
	assert_true(errors_of("not ", 100000, "") >= 1);
	assert_true(errors_of("if not (", 100000, "") >= 1);
	assert_int_equal(errors_of("if not ", 1, "true {}"), 0);
}

static void lists_have_a_limit(void **state UNUSED)
{
	uint32_t max = sieve_site_default.limits.list_entries;

	assert_int_equal(errors_of("", 0, "a [\"x\"];"), 0);
	assert_true(errors_of("\"x\",", 0, "") == 0);

	struct buf text;
	struct sieve_errors e = {0};
	struct sieve_script s;

	buf_init(&text, 8 << 20);
	buf_put(&text, STR("a [\"x\""));
	for (uint32_t i = 0; i < max; i++)
		buf_put(&text, STR(",\"x\""));
	buf_put(&text, STR("];"));
	parse(&s, buf_str(&text), &e);
	assert_int_equal(e.n, 1);
	arena_fini(&s.arena);
	sieve_errors_fini(&e);
	buf_fini(&text);
}

static void errors_have_a_limit(void **state UNUSED)
{
	assert_int_equal(errors_of("? ", 100000, ""), SIEVE_ERRORS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_a_tree),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(lists_have_a_limit),
		cmocka_unit_test(errors_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
