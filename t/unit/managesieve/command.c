/* SPDX-License-Identifier: ISC */
#include "managesieve/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LONGEST = 40 };

/* said - one command as text: A:atom N:number S:string, or how it ended */
static void said(const struct command *c, enum command_result result, struct buf *out)
{
	static const char letters[] = {
		[COMMAND_ATOM] = 'A', [COMMAND_NUMBER] = 'N', [COMMAND_STRING] = 'S'};

	if (result == COMMAND_BAD)
		buf_put(out, STR("bad"));
	else if (result == COMMAND_TOO_LONG)
		buf_printf(out, "long after " STR_FMT, STR_ARG(command_text(c, 0)));
	else if (result == COMMAND_HOPELESS)
		buf_put(out, STR("hopeless"));
	else
		for (size_t i = 0; i < c->n; i++)
			buf_printf(out, "%s%c:" STR_FMT, i > 0 ? " " : "",
				   letters[c->items[i].kind],
				   STR_ARG(command_text(c, i)));
	buf_put(out, STR("|"));
}

static const struct {
	const char *name;
	struct str in;
	const char *out;
} cases[] = {
	/* clang-format off */
	{"an atom",                  STR_INIT("LOGOUT\r\n"), "A:LOGOUT|"},
	{"nothing",                  STR_INIT("\r\n"), "|"},
	{"two commands",             STR_INIT("a\r\nb\r\n"), "A:a|A:b|"},
	{"a string",                 STR_INIT("NOOP \"x y\"\r\n"), "A:NOOP S:x y|"},
	{"an empty string",          STR_INIT("SETACTIVE \"\"\r\n"), "A:SETACTIVE S:|"},
	{"quotes and backslashes",   STR_INIT("X \"a\\\"b\\\\\"\r\n"), "A:X S:a\"b\\|"},
	{"UTF-8 and controls",       STR_INIT("X \"\xc3\xa4\t\x01\"\r\n"), "A:X S:\xc3\xa4\t\x01|"},
	{"a number",                 STR_INIT("HAVESPACE \"a\" 43\r\n"), "A:HAVESPACE S:a N:43|"},
	{"more blanks than one",     STR_INIT("a  \"b\"   1  \r\n"), "A:a S:b N:1|"},
	{"a literal",                STR_INIT("P \"a\" {5+}\r\nkeep;\r\n"), "A:P S:a S:keep;|"},
	{"a literal of a server",    STR_INIT("P \"a\" {5}\r\nkeep;\r\n"), "A:P S:a S:keep;|"},
	{"an empty literal",         STR_INIT("P {0+}\r\n {1+}\r\nx\r\n"), "A:P S: S:x|"},
	{"a literal alone",          STR_INIT("{3+}\r\nabc\r\n"), "S:abc|"},
	{"a string alone",           STR_INIT("\"*\"\r\n"), "S:*|"},
	{"any octets in a literal",  STR_INIT("P {6+}\r\n\"\r\n\\{}\r\n"), "A:P S:\"\r\n\\{}|"},
	{"a literal holds commands", STR_INIT("P {8+}\r\nLOGOUT\r\n\r\nb\r\n"), "A:P S:LOGOUT\r\n|A:b|"},
	{"as long as may be",        STR_INIT("P {40+}\r\n0123456789012345678901234567890123456789\r\n"),
	 "A:P S:0123456789012345678901234567890123456789|"},
	{"one octet longer",         STR_INIT("P {41+}\r\n01234567890123456789012345678901234567890\r\nb\r\n"),
	 "long after P|A:b|"},
	{"longer between quotes",    STR_INIT("P \"01234567890123456789012345678901234567890\" \"x\"\r\nb\r\n"),
	 "long after P|A:b|"},
	{"much too long a literal",  STR_INIT("P {656+}\r\nLOGOUT\r\n"), "hopeless|"},
	{"a huge literal",           STR_INIT("P {9999999999+}\r\n"), "hopeless|"},
	{"its length overflows",     STR_INIT("P {99999999999+}\r\nb\r\n"), "bad|A:b|"},
	{"a NUL",                    STR_INIT("NO\0OP\r\n"), "hopeless|"},
	{"a LF alone",               STR_INIT("NOOP\nb\r\n"), "bad|A:b|"},
	{"a CR alone",               STR_INIT("NO\rOP\r\nb\r\n"), "bad|A:b|"},
	{"a string over lines",      STR_INIT("X \"a\r\nb\r\n"), "bad|A:b|"},
	{"a lost backslash",         STR_INIT("X \"\\a\"\r\nb\r\n"), "bad|A:b|"},
	{"strings that touch",       STR_INIT("X \"a\"\"b\"\r\nb\r\n"), "bad|A:b|"},
	{"a blank in front",         STR_INIT(" NOOP\r\nb\r\n"), "bad|A:b|"},
	{"parentheses",              STR_INIT("X (a)\r\nb\r\n"), "bad|A:b|"},
	{"eight bits in an atom",    STR_INIT("N\xc3\xa4\r\nb\r\n"), "bad|A:b|"},
	{"five items",               STR_INIT("a b c d e\r\nb\r\n"), "bad|A:b|"},
	{"five with literals",       STR_INIT("a b c d {3+}\r\nX\r\n\r\nb\r\n"), "bad|A:b|"},
	{"a bad one with a literal", STR_INIT("X (a) {8+}\r\nLOGOUT\r\n\r\nb\r\n"), "bad|A:b|"},
	{"... or two",               STR_INIT("X( {3+}\r\na\r\n {4}\r\nc\r\nd\r\nb\r\n"), "bad|A:b|"},
	{"... glued to an atom",     STR_INIT("P{8+}\r\nLOGOUT\r\n\r\nb\r\n"), "bad|A:b|"},
	{"no digits",                STR_INIT("P {+}\r\nb\r\n"), "bad|A:b|"},
	{"a minus",                  STR_INIT("P {-1+}\r\nb\r\n"), "bad|A:b|"},
	{"two pluses",               STR_INIT("P {1++}\r\nb\r\n"), "bad|A:b|"},
	{"more after the brace",     STR_INIT("P {1+} x\r\nb\r\n"), "bad|A:b|"},
	{"an empty bad literal",     STR_INIT("P( {0+}\r\nb\r\nc\r\n"), "bad|A:c|"},
	{"too long an atom",         STR_INIT(
	 "x123456789x123456789x123456789x123456789x123456789x123456789x1234\r\nb\r\n"), "bad|A:b|"},
	/* clang-format on */
};

static void run_case(size_t i, size_t step)
{
	struct str in = cases[i].in;
	struct command c;
	struct buf out;

	command_init(&c, LONGEST);
	buf_init(&out, 4096);
	while (in.n > 0) {
		enum command_result result;
		size_t used = command_feed(
			&c, (struct str){in.p, in.n < step ? in.n : step}, &result);

		in = (struct str){in.p + used, in.n - used};
		if (result != COMMAND_MORE)
			said(&c, result, &out);
		if (result == COMMAND_HOPELESS)
			break;
	}
	print_message("# %s, %zu at a time\n", cases[i].name, step);
	assert_string_equal(buf_cstr(&out), cases[i].out);
	buf_fini(&out);
	command_fini(&c);
}

static void commands(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		run_case(i, 1);
		run_case(i, 2);
		run_case(i, SIZE_MAX);
	}
}

static void a_line_has_an_end(void **state UNUSED)
{
	enum command_result result = COMMAND_MORE;
	struct command c;
	size_t n = 0;

	command_init(&c, 1 << 20);
	command_feed(&c, STR("X \""), &result);
	for (; n < 100000; n++) {
		command_feed(&c, STR("x"), &result);
		assert_int_equal(result, COMMAND_MORE);
	}
	assert_true(c.items[1].text.n < COMMAND_LINE_MAX);
	command_feed(&c, STR("\"\r\n"), &result);
	assert_int_equal(result, COMMAND_BAD);
	assert_string_equal(command_why(&c), "this command is too long");
	command_fini(&c);
}

static void what_arguments_are(void **state UNUSED)
{
	static const struct {
		const char *in, *kinds;
		bool has;
	} rows[] = {
		/* clang-format off */
		{"X\r\n",                 "",    true},
		{"X \"a\"\r\n",           "",    false},
		{"X\r\n",                 "?s",  true},
		{"X \"a\"\r\n",           "?s",  true},
		{"X a\r\n",               "?s",  false},
		{"X \"a\" \"b\"\r\n",     "?s",  false},
		{"X\r\n",                 "s?s", false},
		{"X \"a\"\r\n",           "s?s", true},
		{"X \"a\" 1\r\n",         "sn",  true},
		{"X \"a\" 4294967295\r\n", "sn", true},
		{"X \"a\" 4294967296\r\n", "sn", false},
		{"X \"a\" 01\r\n",        "sn",  false},
		{"X \"a\" 0\r\n",         "sn",  true},
		{"X \"a\" 1x\r\n",        "sn",  false},
		{"X \"a\" \"1\"\r\n",     "sn",  false},
		{"X 1 \"a\"\r\n",         "sn",  false},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		enum command_result result;
		struct command c;

		command_init(&c, LONGEST);
		command_feed(&c, str_of(rows[i].in), &result);
		assert_int_equal(result, COMMAND_WHOLE);
		print_message("# %zu: %s", i, rows[i].in);
		assert_int_equal(command_has(&c, rows[i].kinds), rows[i].has);
		command_fini(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(what_arguments_are),
	};

	return cmocka_run_group_tests_name("managesieve/command", tests, NULL, NULL);
}
