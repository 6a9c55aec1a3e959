/* SPDX-License-Identifier: ISC */
/* The AUTHORIZATION state, each conversation whole and in pieces: the same words. */
#include "popd/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
#define HELLO  "+OK mx.example.org POP3 server ready\r\n"
#define HELLO_PROXY "+OK [XCLIENT] mx.example.org POP3 server ready\r\n"
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
#define A100   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define A1000  A100 A100 A100 A100 A100 A100 A100 A100 A100 A100
#define X249   X50 X50 X50 X50 X10 X10 X10 X10 "xxxxxxxxx"

static const struct capa OPEN = {.plaintext = true}, CLOSED_IN_CLEAR = {.stls = true},
	SLOW = {.plaintext = true, .login_delay_s = 60},
	SECURE = {.plaintext = true, .stls = true, .mechanisms = "PLAIN STEPS"},
	IN_TLS = {.tls = true, .plaintext = true, .mechanisms = "PLAIN STEPS"},
	NO_PASS = {.tls = true, .mechanisms = "STEPS"},
	APOP = {.plaintext = true, .apop = true},
	PROXY = {.plaintext = true, .xclient = true}, CLOSED_AT_ALL;
#define CHALLENGE "<17.4711@mx.example.org>"
#define HELLO_APOP "+OK mx.example.org POP3 server ready " CHALLENGE "\r\n"
#define DIGEST "0123456789abcdef0123456789abcdef"
#define EXPIRED "-ERR [AUTH] password has expired, change it first\r\n"
#define NO_MECHANISM "-ERR [AUTH] no such mechanism here\r\n"
#define NO_BASE64 "-ERR this is not base64\r\n"
#define TLS "+OK begin TLS\r\n"
#define ALICE "AGFsaWNlAHNlc2FtZQ==" /* \0alice\0sesame */
#define WHO "+ d2hvPw==\r\n"          /* who? */
#define LAST "+ dj0x\r\n"             /* v=1 */

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
	{"USER is announced only where it works", &CLOSED_IN_CLEAR, STR_INIT("CAPA\r\n"), HELLO CAPA "STLS\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"and does not work where it is not", &CLOSED_IN_CLEAR, STR_INIT("USER alice\r\nPASS sesame\r\n"),
	 HELLO CLEAR "-ERR USER comes first\r\n", LOGIN_WANT_INPUT, ""},
	{"QUIT", &OPEN, STR_INIT("QUIT\r\nSTAT\r\n"), HELLO BYE, LOGIN_WANT_CLOSE, ""},
	{"no word too many", &OPEN, STR_INIT("QUIT now\r\nCAPA all\r\n"), HELLO EXTRA EXTRA, LOGIN_WANT_INPUT, ""},
	{"no word too few", &OPEN, STR_INIT("USER\r\nUSER \r\nUSER a\r\nPASS\r\nPASS \r\n"), HELLO MISSING MISSING NAMED MISSING MISSING, LOGIN_WANT_INPUT, ""},
	{"mechanisms that we do not have", &OPEN, STR_INIT("AUTH PLAIN\r\nAPOP a b\r\nSTLS\r\nXCLIENT ADDR=::1\r\n"),
	 HELLO NO_MECHANISM "-ERR [AUTH] no APOP here\r\n-ERR there is no TLS\r\n" UNKNOWN, LOGIN_WANT_INPUT, ""},
	{"a password that has expired", &OPEN, STR_INIT("USER old\r\nPASS x\r\nQUIT\r\n"), HELLO NAMED EXPIRED BYE, LOGIN_WANT_CLOSE, ""},

	{"SASL is announced", &SECURE, STR_INIT("CAPA\r\n"), HELLO CAPA "USER\r\nSASL PLAIN STEPS\r\nSTLS\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"and listed", &SECURE, STR_INIT("AUTH\r\n"), HELLO "+OK mechanisms follow\r\nPLAIN\r\nSTEPS\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"a list of none", &OPEN, STR_INIT("AUTH\r\n"), HELLO "+OK mechanisms follow\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"initial response", &SECURE, STR_INIT("auth plain " ALICE "\r\nSTAT\r\n"), HELLO, LOGIN_WANT_HAND_OVER, "STAT\r\n"},
	{"asked for the response", &SECURE, STR_INIT("AUTH PLAIN\r\n" ALICE "\r\nSTAT\r\n"), HELLO "+ \r\n", LOGIN_WANT_HAND_OVER, "STAT\r\n"},
	{"an empty response is one", &SECURE, STR_INIT("AUTH PLAIN =\r\n"), HELLO WRONG, LOGIN_WANT_INPUT, ""},
	{"so is an empty line", &SECURE, STR_INIT("AUTH PLAIN\r\n\r\n"), HELLO "+ \r\n" WRONG, LOGIN_WANT_INPUT, ""},
	{"several steps and a last word", &SECURE, STR_INIT("AUTH STEPS\r\nYWxpY2U=\r\nZG9uZQ==\r\n\r\nNOOP\r\n"),
	 HELLO "+ \r\n" WHO LAST, LOGIN_WANT_HAND_OVER, "NOOP\r\n"},
	{"nothing answers the last word", &SECURE, STR_INIT("AUTH STEPS\r\nYWxpY2U=\r\nZG9uZQ==\r\nYQ==\r\nQUIT\r\n"),
	 HELLO "+ \r\n" WHO LAST "-ERR nothing more was asked\r\n" BYE, LOGIN_WANT_CLOSE, ""},
	{"broken off after the last word", &SECURE, STR_INIT("AUTH STEPS\r\nYWxpY2U=\r\nZG9uZQ==\r\n*\r\nSTAT\r\n"),
	 HELLO "+ \r\n" WHO LAST "-ERR broken off\r\n" FIRST, LOGIN_WANT_INPUT, ""},
	{"broken off", &SECURE, STR_INIT("AUTH STEPS\r\n*\r\nUSER alice\r\nPASS sesame\r\n"), HELLO "+ \r\n-ERR broken off\r\n" NAMED, LOGIN_WANT_HAND_OVER, ""},
	{"no base64", &SECURE, STR_INIT("AUTH PLAIN !!!!\r\nAUTH PLAIN YQ\r\nAUTH PLAIN YW Jj\r\nAUTH PLAIN\r\nYQ=\r\nQUIT\r\n"),
	 HELLO NO_BASE64 NO_BASE64 NO_BASE64 "+ \r\n" NO_BASE64 BYE, LOGIN_WANT_CLOSE, ""},
	{"a response longer than a command", &SECURE, STR_INIT("AUTH STEPS\r\n" A1000 "\r\nQUIT\r\n"), HELLO "+ \r\n" WRONG BYE, LOGIN_WANT_CLOSE, ""},
	{"a response that is no line", &SECURE, STR_INIT("AUTH STEPS\r\nYQ==\nQUIT\r\n"), HELLO "+ \r\n" BARE BYE, LOGIN_WANT_CLOSE, ""},
	{"a NUL in a response", &SECURE, STR_INIT("AUTH STEPS\r\nY\0==\r\n"), HELLO "+ \r\n" NUL, LOGIN_WANT_CLOSE, ""},
	{"SASL counts as a try", &SECURE, STR_INIT("AUTH PLAIN =\r\nAUTH PLAIN YQ==\r\nUSER a\r\nPASS b\r\nQUIT\r\n"), HELLO WRONG WRONG NAMED WRONG, LOGIN_WANT_CLOSE, ""},
	{"a mechanism that is not offered", &SECURE, STR_INIT("AUTH PLAI\r\nAUTH PLAINS\r\nAUTH STEPS-PLUS\r\nAUTH  PLAIN\r\n"),
	 HELLO NO_MECHANISM NO_MECHANISM NO_MECHANISM "+OK mechanisms follow\r\nPLAIN\r\nSTEPS\r\n.\r\n", LOGIN_WANT_INPUT, ""},

	{"APOP", &APOP, STR_INIT("APOP alice " DIGEST "\r\nSTAT\r\n"), HELLO_APOP, LOGIN_WANT_HAND_OVER, "STAT\r\n"},
	{"a name with a blank", &APOP, STR_INIT("APOP a b " DIGEST "\r\n"), HELLO_APOP, LOGIN_WANT_HAND_OVER, ""},
	{"a wrong digest", &APOP, STR_INIT("APOP alice 123\r\n"), HELLO_APOP WRONG, LOGIN_WANT_INPUT, ""},
	{"half of it", &APOP, STR_INIT("APOP\r\nAPOP alice\r\nAPOP  x\r\nAPOP x \r\n"), HELLO_APOP MISSING MISSING MISSING MISSING, LOGIN_WANT_INPUT, ""},

	{"TLS", &SECURE, STR_INIT("STLS\r\nUSER alice\r\n"), HELLO TLS, LOGIN_WANT_TLS, "USER alice\r\n"},
	{"TLS is begun once", &IN_TLS, STR_INIT("STLS\r\nCAPA\r\n"), HELLO "-ERR this is TLS\r\n" CAPA "USER\r\nSASL PLAIN STEPS\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"no password at all", &NO_PASS, STR_INIT("USER alice\r\n"), HELLO "-ERR [AUTH] no password in clear is taken here\r\n", LOGIN_WANT_INPUT, ""},

	{"a proxy speaks for another", &PROXY, STR_INIT("XCLIENT ADDR=192.0.2.7 PORT=4711\r\nCAPA\r\n"), HELLO_PROXY "+OK\r\n" CAPA ".\r\n", LOGIN_WANT_INPUT, ""},
	{"and says more than a command may", &PROXY, STR_INIT("XCLIENT ADDR=192.0.2.7 FORWARD=" X249 X249 "\r\nCAPA\r\n"), HELLO_PROXY "+OK\r\n" CAPA ".\r\n", LOGIN_WANT_INPUT, ""},
	{"but not any length", &PROXY, STR_INIT("XCLIENT ADDR=192.0.2.7 FORWARD=" X249 X249 X249 X249 X249 "\r\n"), HELLO_PROXY "-ERR this line is too long\r\n", LOGIN_WANT_INPUT, ""},
	{"nor any command", &PROXY, STR_INIT("USER " X249 "\r\nCAPA\r\n"), HELLO_PROXY LONG CAPA "USER\r\n.\r\n", LOGIN_WANT_INPUT, ""},
	{"nor later", &PROXY, STR_INIT("CAPA\r\nXCLIENT ADDR=192.0.2.7 FORWARD=" X249 "\r\n"), HELLO_PROXY CAPA "USER\r\n.\r\n" LONG, LOGIN_WANT_INPUT, ""},
	{"for nobody", &PROXY, STR_INIT("xclient port=4711\r\nQUIT\r\n"), HELLO_PROXY "-ERR not understood\r\n" BYE, LOGIN_WANT_CLOSE, ""},
	{"too late", &PROXY, STR_INIT("CAPA\r\nXCLIENT ADDR=192.0.2.7\r\n"), HELLO_PROXY CAPA "USER\r\n.\r\n-ERR only before all else\r\n", LOGIN_WANT_INPUT, ""},
	{"too late, too", &PROXY, STR_INIT("USER a\r\nXCLIENT ADDR=192.0.2.7\r\n"), HELLO_PROXY NAMED "-ERR only before all else\r\n", LOGIN_WANT_INPUT, ""},

	{"a browser", &OPEN, STR_INIT("GET /USER HTTP/1.1\r\nUSER alice\r\n"), HELLO, LOGIN_WANT_CLOSE, ""},
	{"any case", &OPEN, STR_INIT("pOsT /\n"), HELLO, LOGIN_WANT_CLOSE, ""},
	{"an SSH client", &OPEN, STR_INIT("SSH-2.0-OpenSSH_9.2\r\n"), HELLO, LOGIN_WANT_CLOSE, ""},
	{"an MTA", &OPEN, STR_INIT("EHLO mx\r\n"), HELLO, LOGIN_WANT_CLOSE, ""},
	{"TLS at once", &OPEN, STR_INIT("\x16\x03\x01\x00\xf4"), HELLO, LOGIN_WANT_CLOSE, ""},
	{"only the first line tells", &OPEN, STR_INIT("CAPA\r\nGET / HTTP/1.1\r\n"), HELLO CAPA "USER\r\n.\r\n" UNKNOWN, LOGIN_WANT_INPUT, ""},
	{"not so yet", &OPEN, STR_INIT("GETX\r\nPUTS\r\n"), HELLO UNKNOWN UNKNOWN, LOGIN_WANT_INPUT, ""},
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

static void answer_password(struct login *l, const struct login_question *q)
{
	if (str_eq(q->user, STR("down")))
		login_try_again(l);
	else if (str_eq(q->user, STR("old")))
		login_expired(l);
	else if ((str_eq(q->user, STR("alice")) && str_eq(q->proof, STR("sesame"))) ||
		 (str_eq(q->user, STR("bob")) && str_eq(q->proof, STR(" open  it "))))
		login_accepted(l, STR(""));
	else
		login_refused(l);
}

/* PLAIN is one response; STEPS asks "who?" for "alice", and has a last word. */
static void answer_sasl(struct login *l, const struct login_question *q)
{
	bool plain = str_ieq(q->mechanism, STR("PLAIN"));

	if (q->kind == LOGIN_SASL && !q->has_proof)
		login_challenge(l, STR(""));
	else if (plain && str_eq(q->proof, STR("\0alice\0sesame")))
		login_accepted(l, STR(""));
	else if (!plain && str_eq(q->proof, STR("alice")))
		login_challenge(l, STR("who?"));
	else if (!plain && str_eq(q->proof, STR("done")))
		login_accepted(l, STR("v=1"));
	else
		login_refused(l);
}

static void answer(struct login *l)
{
	struct login_question q = login_question(l);

	switch (q.kind) {
	case LOGIN_PASSWORD:
		answer_password(l, &q);
		break;
	case LOGIN_APOP:
		assert_true(str_eq(q.challenge, STR(CHALLENGE)));
		if (str_eq(q.proof, STR(DIGEST)))
			login_accepted(l, STR(""));
		else
			login_refused(l);
		break;
	case LOGIN_SASL:
	case LOGIN_SASL_STEP:
		answer_sasl(l, &q);
		break;
	}
}

static void answer_peer(struct login *l)
{
	bool known = str_starts(login_peer(l), STR("ADDR=192.0.2.7 "));

	login_peer_known(l, known, known ? &CLOSED_AT_ALL : &OPEN);
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
		case LOGIN_WANT_PEER:
			answer_peer(l);
			break;
		case LOGIN_WANT_TLS:
		case LOGIN_WANT_HAND_OVER:
		case LOGIN_WANT_CLOSE:
			return;
		}
	}
}

static void run(size_t i, size_t step)
{
	struct login *l = login_new(STR("mx.example.org"), STR(CHALLENGE), cases[i].capa);
	struct str in = cases[i].in;
	struct buf said;

	buf_init(&said, 8192);
	assert_false(login_exchanging(l));
	talk(l, &in, step, &said);
	keep_output(l, &said);
	if (strcmp(buf_cstr(&said), cases[i].out) != 0)
		print_error("%s, %zu at a time\n", cases[i].name, step);
	assert_string_equal(buf_cstr(&said), cases[i].out);
	assert_int_equal(login_want(l), cases[i].want);
	if (cases[i].want == LOGIN_WANT_HAND_OVER || cases[i].want == LOGIN_WANT_TLS)
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
	{"STLS\r\n",      "-ERR there is no TLS\r\n", "-ERR there is no TLS\r\n", LOGIN_WANT_INPUT},
	{"AUTH PLAIN\r\n", NO_MECHANISM,               NO_MECHANISM,         LOGIN_WANT_INPUT},
	{"a\nb",          BARE,                        BARE,                 LOGIN_WANT_INPUT},
	/* clang-format on */
};

static void try_cell(size_t row, int where)
{
	struct login *l = login_new(STR("mx.example.org"), STR(CHALLENGE), &OPEN);
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

/* What was said in clear is forgotten; how often it was tried is not. */
static void tls_begins_anew(void **state)
{
	static const char said[] = "USER alice\r\nSTLS\r\n";
	struct capa capa = APOP;
	struct login *l;
	struct str in = str_of(said);

	(void)state;
	capa.stls = true;
	l = login_new(STR("mx.example.org"), STR(CHALLENGE), &capa);
	for (int i = 0; i < 2; i++) {
		login_feed(l, STR("USER alice\r\n"));
		login_feed(l, STR("PASS x\r\n"));
		answer(l);
	}
	while (in.n > 0) {
		size_t used = login_feed(l, in);

		in = (struct str){in.p + used, in.n - used};
	}
	assert_int_equal(login_want(l), LOGIN_WANT_TLS);
	assert_int_equal(login_feed(l, STR("PASS sesame\r\n")), 0);
	login_written(l);
	login_tls_begun(l, &IN_TLS);
	assert_int_equal(login_output(l).n, 0); /* RFC 2595 s4: no second greeting */
	login_feed(l, STR("PASS sesame\r\n"));
	assert_true(str_eq(login_output(l), STR("-ERR USER comes first\r\n")));
	login_written(l);
	login_feed(l, STR("USER alice\r\n"));
	login_feed(l, STR("PASS x\r\n"));
	answer(l);
	assert_int_equal(login_want(l), LOGIN_WANT_CLOSE);
	login_free(&l);
}

static void who_breaks_off_is_noticed(void **state)
{
	struct login *l = login_new(STR("mx.example.org"), STR(CHALLENGE), &SECURE);

	(void)state;
	login_feed(l, STR("AUTH STEPS\r\n"));
	answer(l);
	assert_true(login_exchanging(l));
	login_feed(l, STR("YWxpY2U=\r\n"));
	assert_true(login_exchanging(l));
	answer(l);
	assert_true(login_exchanging(l));
	login_feed(l, STR("*\r\n"));
	assert_false(login_exchanging(l));
	login_free(&l);
}

static void a_response_has_an_end(void **state)
{
	static char response[LOGIN_RESPONSE_MAX + 1];
	struct login *l = login_new(STR("mx.example.org"), STR(CHALLENGE), &SECURE);

	(void)state;
	memset(response, 'A', sizeof response);
	for (size_t n = sizeof response - 1; n <= sizeof response; n++) {
		login_feed(l, STR("AUTH STEPS\r\n"));
		answer(l);
		login_written(l);
		assert_int_equal(login_feed(l, (struct str){response, n}), n);
		login_feed(l, STR("\r\n"));
		if (n < sizeof response)
			answer(l);
		assert_true(str_eq(login_output(l),
				   n < sizeof response
					   ? STR(WRONG)
					   : STR("-ERR this line is too long\r\n")));
		login_written(l);
		login_feed(l, STR("PASS " X249 "\r\n")); /* commands are short again */
		assert_true(str_eq(login_output(l), STR(LONG)));
		login_written(l);
	}
	login_free(&l);
}

static void output_is_bounded(void **state)
{
	struct login *l = login_new(STR("mx.example.org"), STR(CHALLENGE), &OPEN);
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
		cmocka_unit_test(tls_begins_anew),
		cmocka_unit_test(who_breaks_off_is_noticed),
		cmocka_unit_test(a_response_has_an_end),
		cmocka_unit_test(output_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
