/* SPDX-License-Identifier: ISC */
/* Dialogues, whole and octet by octet. */
#include "authd/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PEER "service pop3\nsid s1\nclient 192.0.2.7\nserver 192.0.2.1:110\n"

static const struct {
	const char *name;
	struct str in;
	bool foreign;
	const char *wants;  /* one letter each: o p a s t c l b */
	const char *broken; /* NULL: it goes on */
} rows[] = {
	/* clang-format off */
	{"offer",        STR_INIT("do offer\n" PEER "\n"), false, "o", NULL},
	{"password",     STR_INIT("do password\n" PEER "user a\npassword b\n\n"), false, "p", NULL},
	{"apop",         STR_INIT("do apop\n" PEER "user a\nchallenge <b>\ndigest c\n\n"), false, "a", NULL},
	{"change",       STR_INIT("do change\n" PEER "user a\npassword b\nnew c\n\n"), false, "c", NULL},
	{"lookup",       STR_INIT("do lookup\nservice smtp\nuser a\n\n"), true, "l", NULL},
	{"two",          STR_INIT("do offer\n" PEER "\ndo offer\n" PEER "\n"), false, "oo", NULL},
	{"one exchange", STR_INIT("do sasl\n" PEER "mechanism X\n\ndo step\ndata Zg==\n\ndo step\ndata \n\n"), false, "stt", NULL},
	{"abort",        STR_INIT("do sasl\n" PEER "mechanism X\n\ndo abort\n\ndo offer\n" PEER "\n"), false, "sbo", NULL},
	{"smtp",         STR_INIT("do offer\nservice smtp\n\n"), true, "o", NULL},

	{"other service", STR_INIT("do offer\nservice pop3\n\n"), true, "", "another service than smtp"},
	{"our lookup",   STR_INIT("do lookup\nservice smtp\nuser a\n\n"), false, "", "a service of ours needs no verifiers"},
	{"no service",   STR_INIT("do offer\n\n"), false, "", "the service is not named"},
	{"no do",        STR_INIT("service pop3\ndo offer\n\n"), false, "", "a question does not begin with `do`"},
	{"empty",        STR_INIT("\n"), false, "", "a question does not begin with `do`"},
	{"unknown verb", STR_INIT("do dance\n" PEER "\n"), false, "", "nobody knows what to do"},
	{"step first",   STR_INIT("do step\ndata Zg==\n\n"), false, "", "it is not the time for that"},
	{"abort first",  STR_INIT("do abort\n\n"), false, "", "it is not the time for that"},
	{"within",       STR_INIT("do sasl\n" PEER "mechanism X\n\ndo offer\n" PEER "\n"), false, "s", "it is not the time for that"},
	{"no user",      STR_INIT("do password\n" PEER "password b\n\n"), false, "", "a question has keys that do not belong to it"},
	{"unknown key",  STR_INIT("do offer\n" PEER "master-user root\n\n"), false, "", "a question has keys that do not belong to it"},
	{"do twice",     STR_INIT("do offer\n" PEER "do offer\n\n"), false, "", "a key is there twice"},
	{"tls no",       STR_INIT("do offer\n" PEER "tls no\n\n"), false, "", "something may only be `yes`"},
	{"NUL",          STR_INIT("do offer\nservice pop3\nclient 192.0.2.7%00\n\n"), false, "", "there is a control octet where none may be"},
	{"escape",       STR_INIT("do offer\nservice pop3\nsid %1b]0;\n\n"), false, "", "there is a control octet where none may be"},
	{"bad base64",   STR_INIT("do sasl\n" PEER "mechanism X\ndata !!!!\n\n"), false, "", "there is no base64 where it has to be"},
	{"HTTP",         STR_INIT("GET / HTTP/1.0\n"), false, "", "a line is not `key value`"},
	/* clang-format on */
};

static char letter(enum core_want want)
{
	static const char letters[] = {
		[CORE_WANT_OFFER] = 'o',  [CORE_WANT_PASSWORD] = 'p',
		[CORE_WANT_APOP] = 'a',   [CORE_WANT_SASL] = 's',
		[CORE_WANT_STEP] = 't',   [CORE_WANT_CHANGE] = 'c',
		[CORE_WANT_LOOKUP] = 'l', [CORE_WANT_ABORT] = 'b',
	};

	return letters[want];
}

static void reply(struct core *c)
{
	static const struct auth_offer offer = {true, false, "PLAIN", true};
	enum core_want want = core_want(c);
	struct auth_answer a;

	if (want == CORE_WANT_OFFER) {
		core_offer(c, &offer);
		return;
	}
	if (want == CORE_WANT_LOOKUP) {
		core_verifiers(c, STR("a b"), 0);
		assert_true(str_eq(buf_str(core_output(c)),
				   STR("answer ok\nverifiers a b\n\n")));
		return;
	}
	auth_answer_init(&a);
	a.result = want == CORE_WANT_SASL || want == CORE_WANT_STEP ? AUTH_CHALLENGE
								    : AUTH_REFUSED;
	core_answer(c, &a);
	auth_answer_fini(&a);
}

static void run(struct core *c, struct str in, size_t step, struct buf *wants)
{
	while (in.n > 0 && core_want(c) != CORE_WANT_CLOSE) {
		size_t used = core_feed(c, (struct str){in.p, in.n < step ? in.n : step});

		in = (struct str){in.p + used, in.n - used};
		if (core_want(c) == CORE_WANT_INPUT || core_want(c) == CORE_WANT_CLOSE)
			continue;
		buf_putc(wants, letter(core_want(c)));
		reply(c);
		buf_clear(core_output(c));
	}
}

static void rows_say_what_is_wanted(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++)
		for (size_t step = 1; step < 2000; step += 999) {
			struct core *c = core_new(rows[i].foreign);
			struct buf wants;

			print_message("# %s, step %zu\n", rows[i].name, step);
			buf_init(&wants, 64);
			run(c, rows[i].in, step, &wants);
			assert_string_equal(buf_cstr(&wants), rows[i].wants);
			if (rows[i].broken == NULL)
				assert_int_equal(core_want(c), CORE_WANT_INPUT);
			else
				assert_string_equal(core_broken(c), rows[i].broken);
			buf_fini(&wants);
			core_free(&c);
		}
}

static void feed_all(struct core *c, struct str in)
{
	assert_int_equal(core_feed(c, in), in.n);
}

static void what_was_said_is_known(void **state)
{
	struct core *c = core_new(false);
	const struct question *q = core_question(c);

	(void)state;
	feed_all(c, STR("do sasl\n" PEER "tls yes\nloopback yes\nexporter Zm9v\n"
			"end-point YmFy\ncertificate-subject CN=x\n"
			"certificate-name dns a\ncertificate-name email b\n"
			"mechanism PLAIN\ndata AGEAYg==\n\n"));
	assert_int_equal(core_want(c), CORE_WANT_SASL);
	assert_string_equal(q->service, "pop3");
	assert_string_equal(q->sid, "s1");
	assert_string_equal(q->client, "192.0.2.7");
	assert_string_equal(q->server, "192.0.2.1:110");
	assert_true(q->tls && q->loopback && q->has_data);
	assert_true(str_eq(q->exporter, STR("foo")));
	assert_true(str_eq(q->end_point, STR("bar")));
	assert_true(str_eq(q->subject, STR("CN=x")));
	assert_int_equal(q->n_names, 2);
	assert_true(str_eq(q->names[1], STR("email b")));
	assert_true(str_eq(q->mechanism, STR("PLAIN")));
	assert_true(str_eq(q->data, STR("\0a\0b")));

	reply(c);
	assert_string_equal(buf_cstr(core_output(c)), "answer challenge\n\n");
	buf_clear(core_output(c));
	feed_all(c, STR("do step\ndata Zm9v\n\n"));
	/* The peer is still known, the first data are not. */
	assert_string_equal(q->client, "192.0.2.7");
	assert_true(str_eq(q->data, STR("foo")));
	assert_int_equal(q->n_names, 2);
	core_free(&c);
}

static void answers_are_written(void **state)
{
	struct core *c = core_new(false);
	struct auth_answer a;

	(void)state;
	feed_all(c, STR("do password\n" PEER "user a\npassword b\n\n"));
	auth_answer_init(&a);
	a.result = AUTH_OK;
	a.uid = 77;
	memcpy(a.account, "a@b", sizeof "a@b");
	core_answer(c, &a);
	assert_string_equal(buf_cstr(core_output(c)),
			    "answer ok\naccount a@b\nuid 77\n\n");
	assert_int_equal(core_question(c)->user.n, 0);
	buf_clear(core_output(c));

	feed_all(c, STR("do change\n" PEER "user a\npassword b\nnew c\n\n"));
	a.result = AUTH_REJECTED;
	a.wait_ms = 5;
	memcpy(a.why, "too\nshort", sizeof "too\nshort");
	core_answer(c, &a);
	assert_string_equal(buf_cstr(core_output(c)),
			    "answer rejected\nwhy too%0ashort\nwait 5\n\n");
	buf_clear(core_output(c));

	feed_all(c, STR("do offer\n" PEER "\n"));
	reply(c);
	assert_string_equal(
		buf_cstr(core_output(c)),
		"answer offer\npassword yes\nmechanisms PLAIN\nclient any\n\n");
	auth_answer_fini(&a);
	core_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_what_is_wanted),
		cmocka_unit_test(what_was_said_is_known),
		cmocka_unit_test(answers_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
