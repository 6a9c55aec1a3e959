/* SPDX-License-Identifier: ISC */
/* Each conversation whole and in pieces: the same words, the same questions. */
#include "passwd/poppass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
#define HELLO    "200 mx.example.org changes passwords: who are you?\r\n"
#define NAMED    "200 and the password that you have now?\r\n"
#define PROVED   "200 and the new password?\r\n"
#define CHANGED  "200 the password is changed\r\n"
#define BYE      "200 goodbye\r\n"
#define WRONG    "500 name or password is wrong\r\n"
#define LATER    "500 passwords cannot be checked or changed now, try again later\r\n"
#define SHORT    "500 the new password is short\r\n"
#define LOCKED   "500 the password is locked?\r\n"
#define UNKNOWN  "500 unknown command\r\n"
#define MISSING  "500 argument missing\r\n"
#define EXTRA    "500 no argument expected\r\n"
#define NO_USER  "500 USER was said already\r\n"
#define NO_PASS  "500 PASS comes after USER, and once\r\n"
#define NO_NEW   "500 NEWPASS comes after PASS, and once\r\n"
#define LONG     "500 the line is too long\r\n"
#define BARE     "500 a CR is no part of a command\r\n"
#define NUL      "500 a NUL is no part of any command, goodbye\r\n"
#define X16      "xxxxxxxxxxxxxxxx"
#define X256     X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X1792    X256 X256 X256 X256 X256 X256 X256

static const struct {
	const char *name;
	struct str in;
	const char *out;
	bool closed;
} cases[] = {
	{"greets first", STR_INIT(""), HELLO, false},
	{"a change", STR_INIT("USER alice\r\nPASS old\r\nNEWPASS new one\r\nQUIT\r\n"), HELLO NAMED PROVED CHANGED BYE, true},
	{"lines that end in LF", STR_INIT("USER alice\nPASS old\nNEWPASS new one\nQUIT\n"), HELLO NAMED PROVED CHANGED BYE, true},
	{"any case of a command", STR_INIT("user alice\r\nPass old\r\nnewPASS new one\r\nquit\r\n"), HELLO NAMED PROVED CHANGED BYE, true},
	{"no change", STR_INIT("QUIT\r\nUSER alice\r\n"), HELLO BYE, true},
	{"second thoughts", STR_INIT("USER alice\r\nPASS old\r\nQUIT\r\n"), HELLO NAMED PROVED BYE, true},
	{"passwords with spaces", STR_INIT("USER bob\r\nPASS  o  l d \r\nNEWPASS  n  e w \r\n"), HELLO NAMED PROVED CHANGED, false},
	{"NEWPASS first", STR_INIT("NEWPASS x\r\n"), HELLO NO_NEW, false},
	{"NEWPASS before PASS", STR_INIT("USER alice\r\nNEWPASS x\r\nPASS old\r\n"), HELLO NAMED NO_NEW PROVED, false},
	{"PASS before USER", STR_INIT("PASS old\r\nUSER alice\r\n"), HELLO NO_PASS NAMED, false},
	{"USER twice", STR_INIT("USER alice\r\nUSER bob\r\nPASS old\r\n"), HELLO NAMED NO_USER PROVED, false},
	{"PASS twice", STR_INIT("USER alice\r\nPASS old\r\nPASS old\r\n"), HELLO NAMED PROVED NO_PASS, false},
	{"USER after PASS", STR_INIT("USER alice\r\nPASS old\r\nUSER bob\r\nNEWPASS new one\r\n"), HELLO NAMED PROVED NO_USER CHANGED, false},
	{"a second change", STR_INIT("USER alice\r\nPASS old\r\nNEWPASS new one\r\nNEWPASS x\r\nPASS old\r\nUSER alice\r\n"),
	 HELLO NAMED PROVED CHANGED NO_NEW NO_PASS NO_USER, false},
	{"after a wrong password", STR_INIT("USER alice\r\nPASS x\r\nNEWPASS y\r\nPASS old\r\nUSER alice\r\nPASS old\r\n"),
	 HELLO NAMED WRONG NO_NEW NO_PASS NAMED PROVED, false},
	{"three wrong ones", STR_INIT("USER a\r\nPASS x\r\nUSER b\r\nPASS x\r\nUSER c\r\nPASS x\r\nUSER alice\r\n"),
	 HELLO NAMED WRONG NAMED WRONG NAMED WRONG, true},
	{"trouble", STR_INIT("USER down\r\nPASS x\r\nUSER alice\r\nPASS old\r\n"), HELLO NAMED LATER NAMED PROVED, false},
	{"a bad new one, and a better one", STR_INIT("USER alice\r\nPASS old\r\nNEWPASS s\r\nNEWPASS new one\r\n"), HELLO NAMED PROVED SHORT CHANGED, false},
	{"only bad ones", STR_INIT("USER alice\r\nPASS old\r\nNEWPASS s\r\nNEWPASS s\r\nNEWPASS s\r\nNEWPASS new one\r\n"),
	 HELLO NAMED PROVED SHORT SHORT SHORT, true},
	{"a reason with odd octets", STR_INIT("USER bob\r\nPASS  o  l d \r\nNEWPASS lock\r\n"), HELLO NAMED PROVED LOCKED, false},
	{"changed by somebody else meanwhile", STR_INIT("USER alice\r\nPASS old\r\nNEWPASS stale\r\nNEWPASS new one\r\n"),
	 HELLO NAMED PROVED WRONG NO_NEW, false},
	{"trouble with the change", STR_INIT("USER alice\r\nPASS old\r\nNEWPASS down\r\nNEWPASS new one\r\n"),
	 HELLO NAMED PROVED LATER NO_NEW, false},
	{"no word too few", STR_INIT("USER\r\nUSER \r\nUSER alice\r\nPASS\r\nPASS old\r\nNEWPASS\r\nNEWPASS \r\n"),
	 HELLO MISSING MISSING NAMED MISSING PROVED MISSING MISSING, false},
	{"no word too many", STR_INIT("QUIT now\r\n"), HELLO EXTRA, false},
	{"other commands", STR_INIT("GET / HTTP/1.1\r\nCAPA\r\n\r\n"), HELLO UNKNOWN UNKNOWN UNKNOWN, false},
	{"a name of 1792 octets", STR_INIT("USER " X1792 "\r\nQUIT\r\n"), HELLO LONG BYE, true},
	{"a password of 1792 octets", STR_INIT("USER alice\r\nPASS " X1792 "\r\nPASS old\r\nNEWPASS " X1792 "\r\nQUIT\r\n"),
	 HELLO NAMED LONG PROVED LONG BYE, true},
	{"CR alone", STR_INIT("USER a\rlice\r\n"), HELLO BARE, false},
	{"NUL ends it", STR_INIT("USER a\0b\r\nQUIT\r\n"), HELLO NUL, true},
	{"ten bad commands are enough", STR_INIT("a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\nQUIT\r\n"),
	 HELLO UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
	 "500 unknown command; too many errors, goodbye\r\n", true},
};
/* clang-format on */

static void check(struct poppass *p)
{
	struct str user = poppass_user(p), old = poppass_old(p);

	if (str_eq(user, STR("down")))
		poppass_try_again(p);
	else if ((str_eq(user, STR("alice")) && str_eq(old, STR("old"))) ||
		 (str_eq(user, STR("bob")) && str_eq(old, STR(" o  l d "))))
		poppass_proved(p);
	else
		poppass_refused(p);
}

static void change(struct poppass *p)
{
	struct str new = poppass_new_password(p);

	/* What was proved is still there, for authd wants it again. */
	assert_true(str_eq(poppass_old(p), str_eq(poppass_user(p), STR("bob"))
						   ? STR(" o  l d ")
						   : STR("old")));
	if (str_eq(new, STR("new one")) || str_eq(new, STR(" n  e w ")))
		poppass_changed(p);
	else if (str_eq(new, STR("stale")))
		poppass_refused(p);
	else if (str_eq(new, STR("down")))
		poppass_try_again(p);
	else if (str_eq(new, STR("lock")))
		poppass_rejected(p, STR("the password is locked\n"));
	else
		poppass_rejected(p, STR("the new password is short"));
	assert_int_equal(poppass_new_password(p).n, 0);
}

static void talk(struct poppass *p, struct str in, size_t step)
{
	for (;;) {
		size_t n = in.n < step ? in.n : step;
		char *piece; /* so that a read past the end is seen */

		switch (poppass_want(p)) {
		case POPPASS_WANT_CHECK:
			check(p);
			break;
		case POPPASS_WANT_CHANGE:
			change(p);
			break;
		case POPPASS_WANT_INPUT:
			if (n == 0)
				return;
			piece = xalloc(n);
			memcpy(piece, in.p, n);
			n = poppass_feed(p, (struct str){piece, n});
			xfree(&piece);
			assert_int_not_equal(n, 0);
			in = (struct str){in.p + n, in.n - n};
			break;
		case POPPASS_WANT_CLOSE:
			assert_int_equal(poppass_feed(p, STR("QUIT\r\n")), 0);
			return;
		}
	}
}

static void run(size_t i, size_t step)
{
	struct poppass *p = poppass_new(STR("mx.example.org"));

	talk(p, cases[i].in, step);
	if (strcmp(buf_cstr(poppass_output(p)), cases[i].out) != 0)
		print_error("%s, %zu at a time\n", cases[i].name, step);
	assert_string_equal(buf_cstr(poppass_output(p)), cases[i].out);
	assert_int_equal(poppass_want(p) == POPPASS_WANT_CLOSE, cases[i].closed);
	poppass_free(&p);
	assert_null(p);
}

static void conversations_go_as_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++)
		for (size_t step = 1; step <= 4096; step *= 4)
			run(i, step);
}

/* What is over is forgotten at once, not at the end of the connection. */
static void passwords_do_not_outlive_their_use(void **state)
{
	struct poppass *p = poppass_new(STR("mx"));

	(void)state;
	talk(p, STR("USER alice\nPASS old\nNEWPASS new one\n"), SIZE_MAX);
	assert_int_equal(poppass_user(p).n, 0);
	assert_int_equal(poppass_old(p).n, 0);
	assert_int_equal(poppass_new_password(p).n, 0);
	poppass_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations_go_as_they_should),
		cmocka_unit_test(passwords_do_not_outlive_their_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
