/* SPDX-License-Identifier: ISC */
#include "managesieve/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "managesieve/dialogue.h"

/* What sieve_login_new() says first, and CAPABILITY answers, is left out of what is compared. */
#define CAPABILITIES "\"IMPLEMENTATION\""

enum { CLEAR = 0, CAN_TLS = 1, TLS = 2 };

static struct capa capa_of(unsigned how)
{
	return (struct capa){.stls = how & CAN_TLS,
			     .tls = how & TLS,
			     .mechanisms = "PLAIN SCRAM-SHA-256"};
}

/* answer - by the first octet of the proof; no proof is a challenge */
static void answer(struct login *l, struct buf *asked)
{
	struct login_question q = sieve_login_question(l);

	buf_printf(asked, "%s" STR_FMT "%s" STR_FMT "|",
		   q.kind == LOGIN_SASL ? "begin " : "step ", STR_ARG(q.mechanism),
		   q.has_proof ? "=" : "", STR_ARG(q.proof));
	if (q.proof.n == 0)
		sieve_login_challenge(l, q.has_proof ? STR("again") : STR(""));
	else if (q.proof.p[0] == 'y')
		sieve_login_accepted(l, STR(""));
	else if (q.proof.p[0] == 't')
		sieve_login_try_again(l);
	else if (q.proof.p[0] == 'e')
		sieve_login_expired(l);
	else
		sieve_login_refused(l);
}

/* without_capabilities - each run of them becomes <caps> */
static void without_capabilities(struct str all, struct buf *out)
{
	while (all.n > 0) {
		struct str rest = all;
		struct str line = str_cut(&rest, '\n');

		if (str_starts(line, STR(CAPABILITIES))) {
			while (!str_eq(line, STR("OK\r")))
				line = str_cut(&rest, '\n');
			buf_put(out, STR("<caps>"));
		} else {
			buf_put(out, (struct str){all.p, all.n - rest.n});
		}
		all = rest;
	}
}

static const struct {
	const char *name;
	unsigned how;
	struct str in;
	const char *out, *asked;
	enum login_want want;
} cases[] = {
	/* clang-format off */
	{"greets", CLEAR, STR_INIT(""), "", "", LOGIN_WANT_INPUT},
	{"capabilities", CLEAR, STR_INIT("Capability\r\n"), "<caps>", "", LOGIN_WANT_INPUT},
	{"noop", CLEAR, STR_INIT("NOOP\r\nNOOP \"a\\\"b\"\r\n"),
	 "OK \"done\"\r\nOK (TAG \"a\\\"b\") \"done\"\r\n", "", LOGIN_WANT_INPUT},
	{"a tag over lines", CLEAR, STR_INIT("NOOP {3+}\r\na\r\n\r\n"),
	 "OK (TAG {3}\r\na\r\n) \"done\"\r\n", "", LOGIN_WANT_INPUT},
	{"logout", CLEAR, STR_INIT("LOGOUT\r\nNOOP\r\n"), "OK \"goodbye\"\r\n", "", LOGIN_WANT_CLOSE},
	{"logs in at once", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\" \"eQ==\"\r\nNOOP\r\n"),
	 "", "begin PLAIN=y|", LOGIN_WANT_HAND_OVER},
	{"... by a literal", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\" {4+}\r\neQ==\r\n"),
	 "", "begin PLAIN=y|", LOGIN_WANT_HAND_OVER},
	{"... in steps", CLEAR, STR_INIT("authenticate \"plain\"\r\n\"\"\r\n{4+}\r\neQ==\r\n"),
	 "\"\"\r\n\"YWdhaW4=\"\r\n", "begin plain|step plain=|step plain=y|", LOGIN_WANT_HAND_OVER},
	{"an empty initial response", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\" \"\"\r\n\"eQ==\"\r\n"),
	 "\"YWdhaW4=\"\r\n", "begin PLAIN=|step PLAIN=y|", LOGIN_WANT_HAND_OVER},
	{"no such mechanism", CLEAR, STR_INIT("AUTHENTICATE \"GSSAPI\"\r\n"),
	 "NO \"no such mechanism here\"\r\n", "", LOGIN_WANT_INPUT},
	{"... without TLS", CAN_TLS, STR_INIT("AUTHENTICATE \"LOGIN\"\r\n"),
	 "NO (ENCRYPT-NEEDED) \"no such mechanism here without TLS\"\r\n", "", LOGIN_WANT_INPUT},
	{"... nor with", TLS, STR_INIT("AUTHENTICATE \"LOGIN\"\r\n"),
	 "NO \"no such mechanism here\"\r\n", "", LOGIN_WANT_INPUT},
	{"a mechanism is a string", CLEAR, STR_INIT("AUTHENTICATE PLAIN\r\n"),
	 "NO \"these are not the command's arguments\"\r\n", "", LOGIN_WANT_INPUT},
	{"no base64", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\" \"eQ\"\r\nNOOP\r\n"),
	 "NO \"this is not base64\"\r\nOK \"done\"\r\n", "", LOGIN_WANT_INPUT},
	{"... within", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\"\r\n\"eQ\"\r\nNOOP\r\n"),
	 "\"\"\r\nNO \"this is not base64\"\r\nOK \"done\"\r\n", "begin PLAIN|", LOGIN_WANT_INPUT},
	{"broken off", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\"\r\n\"*\"\r\nNOOP\r\n"),
	 "\"\"\r\nNO \"broken off\"\r\nOK \"done\"\r\n", "begin PLAIN|", LOGIN_WANT_INPUT},
	{"a command is no response", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\"\r\nLOGOUT\r\nNOOP\r\n"),
	 "\"\"\r\nNO \"a response is a string\"\r\nOK \"done\"\r\n", "begin PLAIN|", LOGIN_WANT_INPUT},
	{"what is none ends it", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\"\r\n\"a\nNOOP\r\n"),
	 "\"\"\r\nNO \"a string between quotes holds no line end\"\r\nOK \"done\"\r\n", "begin PLAIN|", LOGIN_WANT_INPUT},
	{"three tries", CLEAR, STR_INIT("AUTHENTICATE \"PLAIN\" \"bg==\"\r\n"
	 "AUTHENTICATE \"PLAIN\" \"dA==\"\r\nAUTHENTICATE \"PLAIN\" \"ZQ==\"\r\nNOOP\r\n"),
	 "NO \"name or password is wrong\"\r\nNO (TRYLATER) \"cannot check passwords now, try again later\"\r\n"
	 "BYE \"password has expired, change it first\"\r\n", "begin PLAIN=n|begin PLAIN=t|begin PLAIN=e|", LOGIN_WANT_CLOSE},
	{"log in first", CLEAR, STR_INIT("LISTSCRIPTS\r\nPUTSCRIPT \"a\" {5+}\r\nkeep;\r\nUNAUTHENTICATE\r\n"),
	 "NO \"log in first\"\r\nNO \"log in first\"\r\nNO \"log in first\"\r\n", "", LOGIN_WANT_INPUT},
	{"unknown", CLEAR, STR_INIT("FOO\r\n\"CAPABILITY\"\r\n\r\n"),
	 "NO \"unknown command\"\r\nNO \"unknown command\"\r\nNO \"unknown command\"\r\n", "", LOGIN_WANT_INPUT},
	{"ten errors", CLEAR, STR_INIT("1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\nNOOP\r\n"),
	 "NO \"unknown command\"\r\nNO \"unknown command\"\r\nNO \"unknown command\"\r\nNO \"unknown command\"\r\n"
	 "NO \"unknown command\"\r\nNO \"unknown command\"\r\nNO \"unknown command\"\r\nNO \"unknown command\"\r\n"
	 "NO \"unknown command\"\r\nBYE \"too many errors, goodbye\"\r\n", "", LOGIN_WANT_CLOSE},
	{"a huge literal", CLEAR, STR_INIT("PUTSCRIPT \"a\" {4000000000+}\r\n"),
	 "BYE \"a NUL, or much too long a string, goodbye\"\r\n", "", LOGIN_WANT_CLOSE},
	{"TLS", CAN_TLS, STR_INIT("STARTTLS\r\nNOOP\r\n"), "OK \"begin TLS\"\r\n", "", LOGIN_WANT_TLS},
	{"no TLS", CLEAR, STR_INIT("STARTTLS\r\n"), "NO \"there is no TLS\"\r\n", "", LOGIN_WANT_INPUT},
	{"TLS again", TLS, STR_INIT("STARTTLS\r\n"), "NO \"this is TLS\"\r\n", "", LOGIN_WANT_INPUT},
	{"HTTP", CLEAR, STR_INIT("GET / HTTP/1.1\r\nNOOP\r\n"), "", "", LOGIN_WANT_CLOSE},
	{"TLS in clear", CLEAR, STR_INIT("\x16\x03\x01"), "", "", LOGIN_WANT_CLOSE},
	{"not first", CLEAR, STR_INIT("NOOP\r\nGET / HTTP/1.1\r\n"),
	 "OK \"done\"\r\nNO \"unknown command\"\r\n", "", LOGIN_WANT_INPUT},
	/* clang-format on */
};

static void talk(struct login *l, struct str in, size_t step, struct buf *asked)
{
	while (in.n > 0 && (sieve_login_want(l) == LOGIN_WANT_INPUT ||
			    sieve_login_want(l) == LOGIN_WANT_CHECK)) {
		size_t used;

		if (sieve_login_want(l) == LOGIN_WANT_CHECK) {
			answer(l, asked);
			continue;
		}
		used = sieve_login_feed(l, (struct str){in.p, in.n < step ? in.n : step});
		in = (struct str){in.p + used, in.n - used};
	}
	while (sieve_login_want(l) == LOGIN_WANT_CHECK)
		answer(l, asked);
}

static void run_case(size_t i, size_t step)
{
	struct capa capa = capa_of(cases[i].how);
	struct login *l = sieve_login_new(STR("mx"), STR(""), &capa);
	struct buf asked, out;

	buf_init(&asked, 4096);
	buf_init(&out, 4096);
	assert_true(str_starts(sieve_login_output(l), STR(CAPABILITIES)));
	sieve_login_written(l);
	talk(l, cases[i].in, step, &asked);
	without_capabilities(sieve_login_output(l), &out);
	print_message("# %s, %zu at a time\n", cases[i].name, step);
	assert_string_equal(buf_cstr(&out), cases[i].out);
	assert_string_equal(buf_cstr(&asked), cases[i].asked);
	assert_int_equal(sieve_login_want(l), cases[i].want);
	buf_fini(&asked);
	buf_fini(&out);
	sieve_login_free(&l);
	assert_null(l);
}

static void conversations(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		run_case(i, 1);
		run_case(i, SIZE_MAX);
	}
}

static bool says(const struct login *l, const char *line)
{
	struct str out = sieve_login_output(l);

	return memmem(out.p, out.n, line, strlen(line)) != NULL;
}

static void what_it_can_do(void **state UNUSED)
{
	struct capa capa = capa_of(CAN_TLS);
	struct login *l = sieve_login_new(STR("mx"), STR(""), &capa);

	assert_true(says(l, "\"IMPLEMENTATION\" \"popstore\"\r\n"));
	assert_true(says(l, "\"SASL\" \"PLAIN SCRAM-SHA-256\"\r\n"));
	assert_true(says(l, "\"SIEVE\" \""));
	assert_true(says(l, "\"STARTTLS\"\r\n"));
	assert_true(says(l, "\"VERSION\" \"1.0\"\r\n"));
	assert_false(says(l, "\"OWNER\""));
	sieve_login_written(l);

	/* What is said after TLS is what holds after it; nobody is in yet. */
	assert_int_equal(sieve_login_feed(l, STR("STARTTLS\r\n")), 10);
	sieve_login_written(l);
	capa = capa_of(TLS);
	capa.mechanisms = "";
	sieve_login_tls_begun(l, &capa);
	assert_true(says(l, "\"SASL\" \"\"\r\n"));
	assert_false(says(l, "\"STARTTLS\""));
	assert_true(str_ends(sieve_login_output(l), STR("\r\nOK\r\n")));
	assert_int_equal(sieve_login_want(l), LOGIN_WANT_INPUT);
	sieve_login_free(&l);
}

/* Who says PUTSCRIPT as the first thing is no HTTP client. */
static void comes_again(void **state UNUSED)
{
	struct capa capa = capa_of(CLEAR);
	struct login *l = sieve_login_again(&capa);

	assert_true(str_eq(sieve_login_output(l), STR("OK\r\n")));
	sieve_login_written(l);
	sieve_login_feed(l, STR("PUTSCRIPT \"a\" \"\"\r\n"));
	assert_true(str_eq(sieve_login_output(l), STR("NO \"log in first\"\r\n")));
	sieve_login_free(&l);
}

static void an_exchange_is_bounded(void **state UNUSED)
{
	struct capa capa = capa_of(CLEAR);
	struct login *l = sieve_login_new(STR("mx"), STR(""), &capa);
	char octets[1024];
	struct buf asked;

	memset(octets, 'A', sizeof octets);
	buf_init(&asked, 1024);
	talk(l, STR("AUTHENTICATE \"PLAIN\"\r\n"), SIZE_MAX, &asked);
	assert_true(sieve_login_exchanging(l));
	talk(l, STR("{12289+}\r\n"), SIZE_MAX, &asked);
	for (size_t i = 0; i < 12; i++)
		talk(l, (struct str){octets, sizeof octets}, SIZE_MAX, &asked);
	sieve_login_written(l);
	talk(l, STR("A\r\n"), SIZE_MAX, &asked);
	assert_true(
		str_eq(sieve_login_output(l), STR("NO \"this string is too long\"\r\n")));
	assert_false(sieve_login_exchanging(l));
	assert_string_equal(buf_cstr(&asked), "begin PLAIN|");
	buf_fini(&asked);
	sieve_login_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(what_it_can_do),
		cmocka_unit_test(comes_again),
		cmocka_unit_test(an_exchange_is_bounded),
	};

	return cmocka_run_group_tests_name("managesieve/login", tests, NULL, NULL);
}
