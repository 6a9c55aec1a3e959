/* SPDX-License-Identifier: ISC */
#include "managesieve/managesieve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"

enum { SCRIPT_OCTETS = 40 };

static const struct capa capa = {.tls = true, .mechanisms = "PLAIN"};

static struct managesieve *begin(struct str last_word)
{
	return managesieve_new(&capa, STR("alice@example.org"), last_word, SCRIPT_OCTETS);
}

/* perform - says what is asked; what is named "no" is refused */
static void perform(struct managesieve *s, struct buf *asked)
{
	static const char *const words[] = {
		[MANAGESIEVE_HAVESPACE] = "have", [MANAGESIEVE_PUT] = "put",
		[MANAGESIEVE_CHECK] = "check",    [MANAGESIEVE_LIST] = "list",
		[MANAGESIEVE_ACTIVATE] = "act",   [MANAGESIEVE_GET] = "get",
		[MANAGESIEVE_DELETE] = "del",     [MANAGESIEVE_RENAME] = "ren",
	};
	struct managesieve_asked q = managesieve_asked(s);

	buf_printf(asked, "%s " STR_FMT "," STR_FMT "," STR_FMT ",%u|", words[q.kind],
		   STR_ARG(q.name), STR_ARG(q.to), STR_ARG(q.text), (unsigned)q.octets);
	if (q.kind == MANAGESIEVE_LIST) {
		managesieve_entry(s, STR("a \"b\""), false);
		managesieve_entry(s, STR("c"), true);
	}
	if (q.kind == MANAGESIEVE_GET)
		managesieve_script(s, STR("keep;\r\nstop;"));
	if (str_eq(q.name, STR("no")))
		managesieve_no(s, "NONEXISTENT", STR("line 1\r\nline 2"));
	else
		managesieve_ok(s, q.kind == MANAGESIEVE_CHECK ? "WARNINGS" : "",
			       q.kind == MANAGESIEVE_CHECK ? STR("line 1") : STR(""));
}

static const struct {
	const char *name;
	struct str in;
	const char *out, *asked;
	enum managesieve_want want;
} cases[] = {
	/* clang-format off */
	{"put", STR_INIT("PUTSCRIPT \"a\" {5+}\r\nkeep;\r\n"), "OK\r\n", "put a,,keep;,0|", MANAGESIEVE_WANT_INPUT},
	{"... between quotes", STR_INIT("putscript \"a\" \"keep;\"\r\n"), "OK\r\n", "put a,,keep;,0|", MANAGESIEVE_WANT_INPUT},
	{"... by a name as a literal", STR_INIT("PUTSCRIPT {1+}\r\na {5}\r\nkeep;\r\n"), "OK\r\n", "put a,,keep;,0|", MANAGESIEVE_WANT_INPUT},
	{"... too long", STR_INIT("PUTSCRIPT \"a\" {41+}\r\n01234567890123456789012345678901234567890\r\nNOOP\r\n"),
	 "NO (QUOTA/MAXSIZE) \"this script is too long\"\r\nOK \"done\"\r\n", "", MANAGESIEVE_WANT_INPUT},
	{"... too long a name", STR_INIT("PUTSCRIPT {41+}\r\n01234567890123456789012345678901234567890 \"x\"\r\nNOOP\r\n"),
	 "NO \"this string is too long\"\r\nOK \"done\"\r\n", "", MANAGESIEVE_WANT_INPUT},
	{"refused, in two lines", STR_INIT("PUTSCRIPT \"no\" \"\"\r\n"),
	 "NO (NONEXISTENT) {14}\r\nline 1\r\nline 2\r\n", "put no,,,0|", MANAGESIEVE_WANT_INPUT},
	{"check", STR_INIT("CHECKSCRIPT {5+}\r\nkeep;\r\n"), "OK (WARNINGS) \"line 1\"\r\n", "check ,,keep;,0|", MANAGESIEVE_WANT_INPUT},
	{"... too long", STR_INIT("CHECKSCRIPT {41+}\r\n01234567890123456789012345678901234567890\r\n"),
	 "NO \"this string is too long\"\r\n", "", MANAGESIEVE_WANT_INPUT},
	{"list", STR_INIT("LISTSCRIPTS\r\n"), "\"a \\\"b\\\"\"\r\n\"c\" ACTIVE\r\nOK\r\n", "list ,,,0|", MANAGESIEVE_WANT_INPUT},
	{"get", STR_INIT("GETSCRIPT \"a\"\r\n"), "{12}\r\nkeep;\r\nstop;\r\nOK\r\n", "get a,,,0|", MANAGESIEVE_WANT_INPUT},
	{"half an answer is none", STR_INIT("NOOP\r\nGETSCRIPT \"no\"\r\n"),
	 "OK \"done\"\r\nNO (NONEXISTENT) {14}\r\nline 1\r\nline 2\r\n", "get no,,,0|", MANAGESIEVE_WANT_INPUT},
	{"activate", STR_INIT("SETACTIVE \"a\"\r\nSETACTIVE \"\"\r\n"), "OK\r\nOK\r\n", "act a,,,0|act ,,,0|", MANAGESIEVE_WANT_INPUT},
	{"delete", STR_INIT("DELETESCRIPT \"a\"\r\n"), "OK\r\n", "del a,,,0|", MANAGESIEVE_WANT_INPUT},
	{"rename", STR_INIT("RENAMESCRIPT \"a\" \"b\"\r\n"), "OK\r\n", "ren a,b,,0|", MANAGESIEVE_WANT_INPUT},
	{"space", STR_INIT("HAVESPACE \"a\" 4294967295\r\n"), "OK\r\n", "have a,,,4294967295|", MANAGESIEVE_WANT_INPUT},
	{"too much space", STR_INIT("HAVESPACE \"a\" 4294967296\r\n"),
	 "NO \"these are not the command's arguments\"\r\n", "", MANAGESIEVE_WANT_INPUT},
	{"arguments missing", STR_INIT("PUTSCRIPT \"a\"\r\nLISTSCRIPTS \"a\"\r\nGETSCRIPT a\r\n"),
	 "NO \"these are not the command's arguments\"\r\nNO \"these are not the command's arguments\"\r\n"
	 "NO \"these are not the command's arguments\"\r\n", "", MANAGESIEVE_WANT_INPUT},
	{"in already", STR_INIT("AUTHENTICATE \"PLAIN\" \"eQ==\"\r\nSTARTTLS\r\n"),
	 "NO \"only before the login\"\r\nNO \"only before the login\"\r\n", "", MANAGESIEVE_WANT_INPUT},
	{"unauthenticate", STR_INIT("UNAUTHENTICATE\r\nNOOP\r\n"), "", "", MANAGESIEVE_WANT_LEAVE},
	{"... without arguments", STR_INIT("UNAUTHENTICATE \"x\"\r\n"),
	 "NO \"these are not the command's arguments\"\r\n", "", MANAGESIEVE_WANT_INPUT},
	{"logout", STR_INIT("LOGOUT\r\nLISTSCRIPTS\r\n"), "OK \"goodbye\"\r\n", "", MANAGESIEVE_WANT_CLOSE},
	{"a NUL in a name", STR_INIT("GETSCRIPT \"a\0b\"\r\n"),
	 "BYE \"a NUL, or much too long a string, goodbye\"\r\n", "", MANAGESIEVE_WANT_CLOSE},
	{"a NUL in a script", STR_INIT("CHECKSCRIPT {3+}\r\na\0b\r\n"), "OK (WARNINGS) \"line 1\"\r\n", "check ,,a", MANAGESIEVE_WANT_INPUT},
	/* clang-format on */
};

static void run_case(size_t i, size_t step)
{
	struct managesieve *s = begin(STR(""));
	struct str in = cases[i].in;
	struct buf asked;

	buf_init(&asked, 4096);
	assert_true(str_eq(managesieve_output(s), STR("OK \"logged in\"\r\n")));
	managesieve_written(s);
	while (in.n > 0 && managesieve_want(s) == MANAGESIEVE_WANT_INPUT) {
		size_t used = managesieve_feed(
			s, (struct str){in.p, in.n < step ? in.n : step});

		in = (struct str){in.p + used, in.n - used};
		if (managesieve_want(s) == MANAGESIEVE_WANT_DO)
			perform(s, &asked);
	}
	print_message("# %s, %zu at a time\n", cases[i].name, step);
	assert_true(str_eq(managesieve_output(s), str_of(cases[i].out)));
	assert_true(str_starts(str_of(buf_cstr(&asked)), str_of(cases[i].asked)));
	assert_int_equal(managesieve_want(s), cases[i].want);
	buf_fini(&asked);
	managesieve_free(&s);
	assert_null(s);
}

static void conversations(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		run_case(i, 1);
		run_case(i, SIZE_MAX);
	}
}

static bool says(const struct managesieve *s, const char *text)
{
	struct str out = managesieve_output(s);

	return memmem(out.p, out.n, text, strlen(text)) != NULL;
}

static void the_last_word_of_sasl(void **state UNUSED)
{
	struct managesieve *s = begin(STR("dj0x"));

	assert_true(str_eq(managesieve_output(s), STR("OK (SASL \"dj0x\")\r\n")));
	managesieve_free(&s);
}

static void what_it_can_do(void **state UNUSED)
{
	struct managesieve *s = begin(STR(""));

	managesieve_feed(s, STR("CAPABILITY\r\n"));
	assert_true(says(s, "\"OWNER\" \"alice@example.org\"\r\n"));
	assert_true(says(s, "\"IMPLEMENTATION\" \"popstore " POPSTORE_VERSION "\"\r\n"));
	assert_true(says(s, "\"SASL\" \"PLAIN\"\r\n"));
	assert_true(says(s, "\"UNAUTHENTICATE\"\r\n"));
	assert_false(says(s, "\"STARTTLS\""));
	managesieve_free(&s);
}

static void replies_are_written_in_between(void **state UNUSED)
{
	struct managesieve *s = begin(STR(""));
	size_t used = 1;

	for (size_t i = 0; i < 10000 && used > 0; i++)
		used = managesieve_feed(s, STR("NOOP\r\n"));
	assert_int_equal(used, 0);
	assert_int_equal(managesieve_want(s), MANAGESIEVE_WANT_WRITE);
	assert_true(managesieve_output(s).n < 20000);
	managesieve_written(s);
	assert_int_equal(managesieve_want(s), MANAGESIEVE_WANT_INPUT);
	managesieve_bye(s, "TRYLATER", STR("stop"));
	assert_true(str_eq(managesieve_output(s), STR("BYE (TRYLATER) \"stop\"\r\n")));
	assert_int_equal(managesieve_want(s), MANAGESIEVE_WANT_CLOSE);
	managesieve_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(the_last_word_of_sasl),
		cmocka_unit_test(what_it_can_do),
		cmocka_unit_test(replies_are_written_in_between),
	};

	return cmocka_run_group_tests_name("managesieve/managesieve", tests, NULL, NULL);
}
