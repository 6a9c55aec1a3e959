/* SPDX-License-Identifier: ISC */
#include "smtpauth/lookup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- questions -------------------------------------------------------------------- */

static void asks(const struct lookup_peer *p, struct str user, const char *text)
{
	struct wire m;

	wire_init(&m);
	lookup_question(&m, p, user);
	assert_true(wire_finish(&m));
	assert_string_equal(buf_cstr(&m.text), text);
	wire_fini(&m);
}

static void a_question_says_what_is_known_of_the_peer(void **state)
{
	const struct lookup_peer ipv4 = {"smtp", "192.0.2.7;4711", "192.0.2.1;25", true};
	const struct lookup_peer ipv6 = {"smtp", "2001:db8::7;4711", "2001:db8::1;587",
					 false};
	const struct lookup_peer unknown = {"smtp", NULL, NULL, false};
	const struct lookup_peer odd = {"smtp", ";", "192.0.2.1", false};

	(void)state;
	asks(&ipv4, STR("alice@example.org"),
	     "do lookup\nservice smtp\nclient 192.0.2.7\nserver 192.0.2.1:25\n"
	     "tls yes\nuser alice@example.org\n\n");
	asks(&ipv6, STR("alice"),
	     "do lookup\nservice smtp\nclient 2001:db8::7\nserver [2001:db8::1]:587\n"
	     "user alice\n\n");
	asks(&unknown, STR("a b"), "do lookup\nservice smtp\nclient unix\nuser a b\n\n");
	asks(&odd, STR("a"), "do lookup\nservice smtp\nclient unix\nuser a\n\n");
}

/* A name is somebody else's text: no line of its own can come out of it. */
static void a_name_stays_within_its_line(void **state)
{
	const struct lookup_peer p = {"smtp", NULL, NULL, false};

	(void)state;
	asks(&p, STR("a\nuser b%\0\n\n"),
	     "do lookup\nservice smtp\nclient unix\nuser a%0auser b%25%00%0a%0a\n\n");
}

static void a_name_without_end_is_no_question(void **state)
{
	const struct lookup_peer p = {"smtp", NULL, NULL, false};
	char *name = xalloc(WIRE_MAX);
	struct wire m;

	(void)state;
	wire_init(&m);
	lookup_question(&m, &p, (struct str){name, WIRE_MAX});
	assert_false(wire_finish(&m));
	wire_fini(&m);
	xfree(&name);
}

/* ---- answers ---------------------------------------------------------------------- */

static const struct {
	const char *name, *answer;
	enum lookup_result result;
	const char *verifiers;
	uint32_t wait_ms;
} answers[] = {
	/* clang-format off */
	{"one verifier", "answer ok\nverifiers S$1:a$b:c\n\n", LOOKUP_FOUND, "S$1:a$b:c\n", 0},
	{"several", "answer ok\nverifiers a b  c \n\n", LOOKUP_FOUND, "a\nb\nc\n", 0},
	{"none is no answer", "answer ok\n\n", LOOKUP_LATER, "", 0},
	{"nor is an empty one", "answer ok\nverifiers  \n\n", LOOKUP_LATER, "", 0},
	{"refused", "answer refused\n\n", LOOKUP_NOT_HERE, "", 0},
	{"refused, with verifiers", "answer refused\nverifiers a\n\n", LOOKUP_NOT_HERE, "", 0},
	{"later", "answer later\nwhy full\nwait 200\n\n", LOOKUP_LATER, "", 200},
	{"something else", "answer challenge\n\n", LOOKUP_LATER, "", 0},
	{"nothing", "\n", LOOKUP_LATER, "", 0},
	{"a wait", "answer refused\nwait 3000\n\n", LOOKUP_NOT_HERE, "", 3000},
	{"no wait is for ever", "answer refused\nwait 18446744073709551615\n\n", LOOKUP_NOT_HERE, "", 15000},
	/* clang-format on */
};

static void an_answer_is_taken_as_it_is_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(answers); i++) {
		struct buf verifiers;
		struct wire m;
		uint32_t wait_ms = 1;
		size_t used;

		wire_init(&m);
		buf_init(&verifiers, LOOKUP_VERIFIERS_MAX);
		assert_int_equal(wire_feed(&m, str_of(answers[i].answer), &used),
				 WIRE_WHOLE);
		print_message("%s\n", answers[i].name);
		assert_int_equal(lookup_answer(&m, &verifiers, &wait_ms),
				 answers[i].result);
		assert_string_equal(buf_cstr(&verifiers), answers[i].verifiers);
		assert_int_equal(wait_ms, answers[i].wait_ms);
		buf_fini(&verifiers);
		wire_fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_says_what_is_known_of_the_peer),
		cmocka_unit_test(a_name_stays_within_its_line),
		cmocka_unit_test(a_name_without_end_is_no_question),
		cmocka_unit_test(an_answer_is_taken_as_it_is_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
