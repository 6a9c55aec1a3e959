/* SPDX-License-Identifier: ISC */
/* The AUTHORIZATION state, each conversation whole and in pieces: the same words. */
#include "popd/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
#define HELLO  "+OK mx.example.org POP3 server ready\r\n"
#define NAMED  "+OK and the password?\r\n"
#define WRONG  "-ERR [AUTH] name or password is wrong\r\n"
#define LATER  "-ERR [SYS/TEMP] cannot check passwords now, try again later\r\n"
#define BYE    "+OK goodbye\r\n"
#define UNKNOWN "-ERR unknown command\r\n"
#define FIRST  "-ERR log in first\r\n"
#define MISSING "-ERR argument missing\r\n"
#define EXTRA  "-ERR no argument expected\r\n"
#define BARE   "-ERR a line ends in CRLF and holds no other CR or LF\r\n"
#define LONG   "-ERR a command has at most 255 octets\r\n"
#define NUL    "-ERR a NUL is no part of any command, goodbye\r\n"
#define CLEAR  "-ERR [AUTH] a password in clear needs TLS here\r\n"
#define CAPA   "+OK capabilities follow\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n" \
               "AUTH-RESP-CODE\r\nEXPIRE NEVER\r\n"
#define X10    "xxxxxxxxxx"
#define X50    X10 X10 X10 X10 X10
#define X249   X50 X50 X50 X50 X10 X10 X10 X10 "xxxxxxxxx"

static const struct capa OPEN = {true, 0}, CLOSED_IN_CLEAR = {false, 0}, SLOW = {true, 60};

static const struct {
	const char *name;
	const struct capa *capa;
	struct str in;
	const char *out;
	enum login_want want;
	const char *unread; /* what goes along with the hand-over */
} cases[] = {
	{"greets first", &OPEN, STR_INIT(""), HELLO, LOGIN_WANT_INPUT, ""},
	{"logs in", &OPEN, STR_INIT("USER alice\r\nPASS sesame\r\n"), HELLO NAMED, LOGIN_WANT_HAND_OVER, ""},
	{"what is pipelined goes along", &OPEN, STR_INIT("USER alice\r\nPASS sesame\r\nSTAT\r\nLI"),
	 HELLO NAMED, LOGIN_WANT_HAND_OVER, "STAT\r\nLI"},
	{"any case of a command", &OPEN, STR_INIT("uSeR alice\r\npass sesame\r\n"), HELLO NAMED, LOGIN_WANT_HAND_OVER, ""},
	{"a password may have spaces", &OPEN, STR_INIT("USER bob\r\nPASS  open  it \r\n"), HELLO NAMED, LOGIN_WANT_HAND_OVER, ""},
	{"a name too, and it is kept as it is", &OPEN, STR_INIT("USER b  c\r\nPASS  b  c \r\n"), HELLO NAMED WRONG, LOGIN_WANT_INPUT, ""},
	{"wrong password", &OPEN, STR_INIT("USER alice\r\nPASS Sesame\r\n"), HELLO NAMED WRONG, LOGIN_WANT_INPUT, ""},
	{"the name must be said again", &OPEN, STR_INIT("USER alice\r\nPASS x\r\nPASS sesame\r\n"),
	 HELLO NAMED WRONG "-ERR USER comes first\r\n", LOGIN_WANT_INPUT, ""},
	{"the last name counts", &OPEN, STR_INIT("USER alice\r\nUSER bob\r\nPASS sesame\r\n"), HELLO NAMED NAMED WRONG, LOGIN_WANT_INPUT, ""},
	{"third time lucky", &OPEN, STR_INIT("USER a\r\nPASS x\r\nUSER a\r\nPASS x\r\nUSER alice\r\nPASS sesame\r\n"),
	 HELLO NAMED WRONG NAMED WRONG NAMED, LOGIN_WANT_HAND_OVER, ""},
	{"there is no fourth", &OPEN, STR_INIT("USER a\r\nPASS x\r\nUSER a\r\nPASS x\r\nUSER a\r\nPASS x\r\nUSER alice\r\nPASS sesame\r\n"),
	 HELLO NAMED WRONG NAMED WRONG NAMED WRONG, LOGIN_WANT_CLOSE, ""},
	{"trouble is not the client's", &OPEN, STR_INIT("USER down\r\nPASS x\r\n"), HELLO NAMED LATER, LOGIN_WANT_INPUT, ""},
	{"but it counts as a try", &OPEN, STR_INIT("USER down\r\nPASS x\r\nUSER a\r\nPASS x\r\nUSER down\r\nPASS x\r\nQUIT\r\n"),
	 HELLO NAMED LATER NAMED WRONG NAMED LATER, LOGIN_WANT_CLOSE, ""},
	{"capabilities", &OPEN, STR_INIT("CAPA\r\n"), HELLO CAPA "USER\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"capabilities between name and password", &OPEN, STR_INIT("USER alice\r\nCAPA\r\nPASS sesame\r\n"),
	 HELLO NAMED CAPA "USER\r\n.\r\n", LOGIN_WANT_HAND_OVER, ""},
	{"LOGIN-DELAY is announced where there is one", &SLOW, STR_INIT("CAPA\r\n"), HELLO CAPA "USER\r\nLOGIN-DELAY 60\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"USER is announced only where it works", &CLOSED_IN_CLEAR, STR_INIT("CAPA\r\n"), HELLO CAPA ".\r\n", LOGIN_WANT_INPUT, ""},
	{"and does not work where it is not", &CLOSED_IN_CLEAR, STR_INIT("USER alice\r\nPASS sesame\r\n"),
	 HELLO CLEAR "-ERR USER comes first\r\n", LOGIN_WANT_INPUT, ""},
	{"QUIT", &OPEN, STR_INIT("QUIT\r\nSTAT\r\n"), HELLO BYE, LOGIN_WANT_CLOSE, ""},
	{"no word too many", &OPEN, STR_INIT("QUIT now\r\nCAPA all\r\n"), HELLO EXTRA EXTRA, LOGIN_WANT_INPUT, ""},
	{"no word too few", &OPEN, STR_INIT("USER\r\nUSER \r\nUSER a\r\nPASS\r\nPASS \r\n"), HELLO MISSING MISSING NAMED MISSING MISSING, LOGIN_WANT_INPUT, ""},
	{"mechanisms that we do not have", &OPEN, STR_INIT("AUTH PLAIN\r\nAPOP a b\r\nSTLS\r\n"), HELLO UNKNOWN UNKNOWN UNKNOWN, LOGIN_WANT_INPUT, ""},
	{"an empty line", &OPEN, STR_INIT("\r\n \r\n"), HELLO UNKNOWN UNKNOWN, LOGIN_WANT_INPUT, ""},
	{"LF alone", &OPEN, STR_INIT("USER alice\nPASS sesame\nQUIT\r\n"), HELLO BARE BARE BYE, LOGIN_WANT_CLOSE, ""},
	{"CR alone", &OPEN, STR_INIT("USER a\rlice\r\n"), HELLO BARE, LOGIN_WANT_INPUT, ""},
	{"NUL ends it", &OPEN, STR_INIT("USER a\0b\r\nQUIT\r\n"), HELLO NUL, LOGIN_WANT_CLOSE, ""},
	{"longest line", &OPEN, STR_INIT("PASS " X249 "\r\n"), HELLO LONG, LOGIN_WANT_INPUT, ""},
	{"too long is refused once", &OPEN, STR_INIT("USER " X249 X249 X249 "\r\nQUIT\r\n"), HELLO LONG BYE, LOGIN_WANT_CLOSE, ""},
	{"no end of patience but at ten", &OPEN, STR_INIT("a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nQUIT\r\n"),
	 HELLO UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN BYE, LOGIN_WANT_CLOSE, ""},
	{"ten are enough", &OPEN, STR_INIT("a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\nQUIT\r\n"),
	 HELLO UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
	 "-ERR unknown command; too many errors, goodbye\r\n", LOGIN_WANT_CLOSE, ""},
};
/* clang-format on */

static void answer(struct login *l)
{
	struct str user = login_user(l), password = login_password(l);

	if (str_eq(user, STR("down")))
		login_try_again(l);
	else if ((str_eq(user, STR("alice")) && str_eq(password, STR("sesame"))) ||
		 (str_eq(user, STR("bob")) && str_eq(password, STR(" open  it "))))
		login_accepted(l);
	else
		login_refused(l);
	assert_int_equal(login_password(l).n, 0);
}

static void keep_output(struct login *l, struct buf *said)
{
	buf_put(said, login_output(l));
	login_written(l);
}

/* talk - feeds `in` in pieces of `step`; what is not taken stays in *in */
static void talk(struct login *l, struct str *in, size_t step, struct buf *said)
{
	for (;;) {
		struct str piece = {in->p, in->n < step ? in->n : step};
		size_t used;

		switch (login_want(l)) {
		case LOGIN_WANT_INPUT:
			if (in->n == 0)
				return;
			used = login_feed(l, piece);
			assert_in_range(used, 1, piece.n);
			*in = (struct str){in->p + used, in->n - used};
			break;
		case LOGIN_WANT_WRITE:
			keep_output(l, said);
			break;
		case LOGIN_WANT_CHECK:
			answer(l);
			break;
		case LOGIN_WANT_HAND_OVER:
		case LOGIN_WANT_CLOSE:
			return;
		}
	}
}

static void run(size_t i, size_t step)
{
	struct login *l = login_new(STR("mx.example.org"), cases[i].capa);
	struct str in = cases[i].in;
	struct buf said;

	buf_init(&said, 8192);
	talk(l, &in, step, &said);
	keep_output(l, &said);
	if (strcmp(buf_cstr(&said), cases[i].out) != 0)
		print_error("%s, %zu at a time\n", cases[i].name, step);
	assert_string_equal(buf_cstr(&said), cases[i].out);
	assert_int_equal(login_want(l), cases[i].want);
	if (cases[i].want == LOGIN_WANT_HAND_OVER)
		assert_true(str_eq(in, str_of(cases[i].unread)));
	login_free(&l);
	assert_null(l);
	buf_fini(&said);
}

static void conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++)
		for (size_t step = 1; step <= 1024; step = step < 4 ? step + 1 : step * 8)
			run(i, step);
}

/* ---- every command in every state ---------------------------------------------- */

enum { GREETED, HAS_NAME, CHECKING, OVER, STATES };

static const char *const way_to[STATES] = {
	[GREETED] = "",
	[HAS_NAME] = "USER alice\r\n",
	[CHECKING] = "USER alice\r\nPASS x\r\n",
	[OVER] = "QUIT\r\n",
};

/* What is said; NULL: the octets are not even taken. */
static const struct {
	const char *line, *greeted, *has_name;
	enum login_want then; /* in HAS_NAME */
} matrix[] = {
	/* clang-format off */
	{"CAPA\r\n",      CAPA "USER\r\n.\r\n",        CAPA "USER\r\n.\r\n", LOGIN_WANT_INPUT},
	{"USER bob\r\n",  NAMED,                       NAMED,                LOGIN_WANT_INPUT},
	{"PASS b\r\n",    "-ERR USER comes first\r\n", "",                   LOGIN_WANT_CHECK},
	{"QUIT\r\n",      BYE,                         BYE,                  LOGIN_WANT_CLOSE},
	{"STAT\r\n",      FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"LIST\r\n",      FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"LIST 1\r\n",    FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"UIDL\r\n",      FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"RETR 1\r\n",    FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"TOP 1 0\r\n",   FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"DELE 1\r\n",    FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"RSET\r\n",      FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"NOOP\r\n",      FIRST,                       FIRST,                LOGIN_WANT_INPUT},
	{"STLS\r\n",      UNKNOWN,                     UNKNOWN,              LOGIN_WANT_INPUT},
	{"a\nb",          BARE,                        BARE,                 LOGIN_WANT_INPUT},
	/* clang-format on */
};

static void try_cell(size_t row, int where)
{
	struct login *l = login_new(STR("mx.example.org"), &OPEN);
	struct str in = str_of(way_to[where]);

	while (in.n > 0) {
		size_t used = login_feed(l, in);

		in = (struct str){in.p + used, in.n - used};
	}
	login_written(l);
	size_t used = login_feed(l, str_of(matrix[row].line));
	const char *said = where == GREETED    ? matrix[row].greeted
			   : where == HAS_NAME ? matrix[row].has_name
					       : NULL;

	if (said == NULL) {
		assert_int_equal(used, 0);
		said = "";
	}
	if (!str_eq(login_output(l), str_of(said)))
		print_error("%s in state %d\n", matrix[row].line, where);
	assert_true(str_eq(login_output(l), str_of(said)));
	if (where == HAS_NAME)
		assert_int_equal(login_want(l), matrix[row].then);
	login_free(&l);
}

static void every_command_in_every_state(void **state)
{
	(void)state;
	for (size_t row = 0; row < countof(matrix); row++)
		for (int where = 0; where < STATES; where++)
			try_cell(row, where);
}

static void output_is_bounded(void **state)
{
	struct login *l = login_new(STR("mx.example.org"), &OPEN);
	size_t commands = 0;

	(void)state;
	while (login_want(l) == LOGIN_WANT_INPUT) {
		assert_int_equal(login_feed(l, STR("CAPA\r\n")), 6);
		assert_true(++commands < 1000);
	}
	assert_int_equal(login_want(l), LOGIN_WANT_WRITE);
	assert_true(login_output(l).n < 20000);
	assert_true(str_ends(login_output(l), STR("\r\n.\r\n")));
	login_written(l);
	assert_int_equal(login_want(l), LOGIN_WANT_INPUT);
	login_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(every_command_in_every_state),
		cmocka_unit_test(output_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
