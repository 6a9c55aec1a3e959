/* SPDX-License-Identifier: ISC */
/* The asker's side, against an authd that says what the test wants. */
#include "auth/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/wire.h"
#include "lib/conn.h"
#include "lib/handoff.h"

static const struct auth_peer peer = {.service = "pop3",
				      .sid = "s1",
				      .client = "192.0.2.7",
				      .server = "192.0.2.1:110",
				      .tls = true,
				      .exporter = STR_INIT("foo"),
				      .certificate_names = STR_INIT("email a\ndns b\n")};

/* Its conversations one after the other: what each question is answered with.  NULL ends a
 * conversation without an answer, and the next is for the next conversation.  `silence` is
 * none either, up to the asker's end of it. */
static const char silence[] = "";

struct fake {
	int take, give;
	pthread_t thread;
	bool plays;
	const char *const *answers;
	size_t n_answers, conversations;
	struct buf questions;
	/* The asker, and what it was told last. */
	struct auth *auth;
	struct auth_answer out;
};

static int take_conversation(struct fake *f)
{
	struct pollfd p = {.fd = f->take, .events = POLLIN};
	struct buf note;
	struct err e;
	int fd;

	assert_int_equal(poll(&p, 1, 10000), 1);
	buf_init(&note, HANDOFF_NOTE_MAX);
	assert_int_equal(handoff_take(f->take, &fd, &note, &e), 0);
	buf_fini(&note);
	assert_true(fd >= 0);
	f->conversations++;
	return fd;
}

/* hear - one question; false: the other end is gone */
static bool hear(struct fake *f, int fd)
{
	struct wire m;

	wire_init(&m);
	while (m.state == WIRE_MORE) {
		char piece[4096];
		ssize_t n = read(fd, piece, sizeof piece);
		size_t used;

		if (n <= 0)
			break;
		wire_feed(&m, (struct str){piece, (size_t)n}, &used);
		assert_int_equal(used, n);
	}

	bool whole = m.state == WIRE_WHOLE;

	if (whole)
		buf_put(&f->questions, buf_str(&m.text));
	wire_fini(&m);
	return whole;
}

static void *play(void *ctx)
{
	struct fake *f = ctx;
	int fd = -1;

	for (size_t i = 0; i < f->n_answers; i++) {
		const char *answer = f->answers[i];

		/* The asker may have gone to ask by a new conversation. */
		if (fd < 0)
			fd = take_conversation(f);
		if (answer == NULL) {
			close(fd);
			fd = -1;
			continue;
		}
		while (!hear(f, fd)) {
			close(fd);
			fd = take_conversation(f);
		}
		if (answer == silence) {
			while (hear(f, fd))
				;
			continue;
		}
		must(write(fd, answer, strlen(answer)) == (ssize_t)strlen(answer));
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void begin(struct fake *f, const char *const *answers, size_t n)
{
	struct err e;

	*f = (struct fake){.answers = answers, .n_answers = n, .plays = true};
	buf_init(&f->questions, 1 << 20);
	auth_answer_init(&f->out);
	assert_int_equal(handoff_pair(&f->give, &f->take, &e), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, play, f), 0);
	f->auth = auth_new(f->give);
}

/* stop - when it has played all */
static void stop(struct fake *f)
{
	if (f->plays)
		assert_int_equal(pthread_join(f->thread, NULL), 0);
	f->plays = false;
}

static void end(struct fake *f)
{
	stop(f);
	auth_free(&f->auth);
	assert_null(f->auth);
	auth_answer_fini(&f->out);
	close(f->take);
	buf_fini(&f->questions);
}

/* again - the place of an answer, for another */
static struct auth_answer *again(struct fake *f)
{
	auth_answer_fini(&f->out);
	auth_answer_init(&f->out);
	return &f->out;
}

/* answered - waits for it; *x is the exchange, if any */
static enum auth_result answered(struct fake *f, struct auth_call *call,
				 struct auth_exchange **x)
{
	auth_wait(&call, x, again(f));
	assert_null(call);
	return f->out.result;
}

static enum auth_result ask(struct fake *f)
{
	return answered(f, auth_password(f->auth, &peer, STR("alice"), STR("a\nb%")),
			NULL);
}

static void a_question_is_answered(void **state)
{
	static const char *const answers[] = {"answer ok\naccount a@b\nuid 7\n"
					      "ticket 0123:abc\nwait 3\n\n"};
	struct fake f;

	(void)state;
	begin(&f, answers, countof(answers));
	assert_int_equal(ask(&f), AUTH_OK);
	assert_string_equal(f.out.account, "a@b");
	assert_int_equal(f.out.uid, 7);
	assert_int_equal(f.out.wait_ms, 3);
	assert_string_equal(f.out.ticket, "0123:abc");
	assert_string_equal(buf_cstr(&f.questions),
			    "do password\nservice pop3\nsid s1\nclient 192.0.2.7\n"
			    "server 192.0.2.1:110\ntls yes\nexporter Zm9v\n"
			    "certificate-name email a\ncertificate-name dns b\n"
			    "user alice\npassword a%0ab%25\n\n");
	end(&f);
}

static const struct {
	const char *answer;
	enum auth_result result;
	const char *why;
} rows[] = {
	/* clang-format off */
	{"answer refused\nwait 100\n\n",           AUTH_REFUSED,   ""},
	{"answer expired\n\n",                     AUTH_EXPIRED,   ""},
	{"answer rejected\nwhy too short\n\n",     AUTH_REJECTED,  "too short"},
	{"answer rejected\nwhy a%0d%0a-ERR b\n\n", AUTH_REJECTED,  "a?" "?-ERR b"},
	{"answer later\nwhy no room\n\n",          AUTH_TRY_AGAIN, "no room"},
	{"answer yes\n\n",                         AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"account a@b\nuid 7\n\n",                 AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"answer ok\nuid 7\n\n",                   AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"answer ok\naccount a@b\n\n",             AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"answer ok\naccount \nuid 7\n\n",         AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"answer ok\naccount a@b\nuid x\n\n",      AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"answer ok\naccount a%0a@b\nuid 7\n\n",   AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"answer refused\ndata !\n\n",             AUTH_TRY_AGAIN, "authd's answer makes no sense"},
	{"answer challenge\ndata Zg==\n\n",        AUTH_TRY_AGAIN, "authd asks where nothing is to be asked"},
	{"answer refused\n\nanswer ok\n\n",        AUTH_TRY_AGAIN, "authd answers more than was asked"},
	{"HTTP/1.0 200\n\n",                       AUTH_TRY_AGAIN, "authd's answer is broken: a line is not `key value`"},
	{"answer ref",                             AUTH_TRY_AGAIN, "authd has closed the connection"},
	{NULL,                                     AUTH_TRY_AGAIN, NULL},
	/* clang-format on */
};

static void rows_say_what_an_answer_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct fake f;

		print_message("# row %zu\n", i);
		begin(&f, &rows[i].answer, 1);
		assert_int_equal(ask(&f), rows[i].result);
		if (rows[i].why != NULL)
			assert_string_equal(f.out.why, rows[i].why);
		else
			assert_true(f.out.why[0] != '\0');
		end(&f);
	}
}

static void a_conversation_is_used_again(void **state)
{
	static const char *const answers[] = {"answer refused\n\n", "answer refused\n\n",
					      "answer refused\n\n"};
	struct fake f;

	(void)state;
	begin(&f, answers, countof(answers));
	for (size_t i = 0; i < countof(answers); i++)
		assert_int_equal(ask(&f), AUTH_REFUSED);
	end(&f);
	assert_int_equal(f.conversations, 1);
}

static void a_dead_conversation_is_replaced(void **state)
{
	static const char *const answers[] = {"answer refused\n\n", NULL,
					      "answer refused\n\n"};
	struct fake f;

	(void)state;
	begin(&f, answers, countof(answers));
	for (int i = 0; i < 2; i++)
		assert_int_equal(ask(&f), AUTH_REFUSED);
	end(&f);
	assert_int_equal(f.conversations, 2);
}

/* Whether the question came in a conversation of its own, or in one that was used before. */
static void who_hears_nothing_asks_no_second_time(void **state)
{
	static const char *const answers[] = {"answer refused\n\n", silence};

	(void)state;
	for (size_t used = 0; used < countof(answers); used++) {
		struct auth_peer impatient = peer;
		struct fake f;
		struct buf note;
		struct err e;
		uint64_t begun;
		int fd;

		begin(&f, answers + 1 - used, 1 + used);
		if (used)
			assert_int_equal(ask(&f), AUTH_REFUSED);
		begun = clock_ms();
		impatient.end_ms = begun + 200;
		assert_int_equal(
			answered(&f,
				 auth_password(f.auth, &impatient, STR("a"), STR("b")),
				 NULL),
			AUTH_TRY_AGAIN);
		assert_string_equal(f.out.why, "authd does not answer in time");
		assert_true(clock_ms() >= impatient.end_ms);
		assert_true(clock_ms() - begun < AUTH_WAIT_MS / 2);
		stop(&f);
		assert_int_equal(f.conversations, 1);
		buf_init(&note, HANDOFF_NOTE_MAX);
		assert_int_equal(handoff_take(f.take, &fd, &note, &e), 0);
		assert_int_equal(fd, -1);
		buf_fini(&note);
		end(&f);
	}
}

static void a_step_has_the_end_of_its_exchange(void **state)
{
	static const char *const answers[] = {"answer challenge\n\n", silence};
	struct auth_peer impatient = peer;
	struct auth_exchange *x;
	struct fake f;
	uint64_t begun = clock_ms();

	(void)state;
	begin(&f, answers, countof(answers));
	impatient.end_ms = begun + 200;
	assert_int_equal(
		answered(&f, auth_sasl_begin(f.auth, &impatient, STR("X"), NULL), &x),
		AUTH_CHALLENGE);
	assert_int_equal(answered(&f, auth_sasl_step(&x, STR("1")), &x), AUTH_TRY_AGAIN);
	assert_null(x);
	assert_true(clock_ms() - begun < AUTH_WAIT_MS / 2);
	end(&f);
}

static void a_change_is_asked_once(void **state)
{
	static const char *const answers[] = {"answer refused\n\n", "answer ok\naccount "
								    "a@b\nuid 7\n\n"};
	struct fake f;

	(void)state;
	begin(&f, answers, countof(answers));
	/* The conversation with the answer to this stays, and is not used for that. */
	ask(&f);
	shutdown(f.give, SHUT_RDWR);
	assert_int_equal(
		answered(&f, auth_change(f.auth, &peer, STR("a"), STR("b"), STR("c")),
			 NULL),
		AUTH_TRY_AGAIN);
	assert_int_equal(ask(&f), AUTH_OK);
	end(&f);
}

static void an_exchange_has_steps(void **state)
{
	static const char *const answers[] = {
		"answer challenge\ndata Zm9v\n\n", "answer challenge\n\n",
		"answer ok\naccount a@b\nuid 7\ndata YmFy\n\n", "answer refused\n\n"};
	struct str initial = STR("x");
	struct auth_exchange *x;
	struct fake f;

	(void)state;
	begin(&f, answers, countof(answers));
	assert_int_equal(
		answered(&f, auth_sasl_begin(f.auth, &peer, STR("X"), &initial), &x),
		AUTH_CHALLENGE);
	assert_string_equal(buf_cstr(&f.out.data), "foo");
	assert_int_equal(answered(&f, auth_sasl_step(&x, STR("1")), &x), AUTH_CHALLENGE);
	assert_int_equal(f.out.data.n, 0);
	assert_int_equal(answered(&f, auth_sasl_step(&x, STR("")), &x), AUTH_OK);
	assert_string_equal(buf_cstr(&f.out.data), "bar");
	assert_string_equal(f.out.account, "a@b");
	assert_null(x);
	auth_sasl_abort(&x);
	/* Nothing of it is in the way of the next question. */
	assert_int_equal(ask(&f), AUTH_REFUSED);
	end(&f);
	assert_int_equal(f.conversations, 1);
}

static void an_aborted_exchange_leaves_nothing(void **state)
{
	static const char *const answers[] = {"answer challenge\n\n",
					      "answer refused\n\n"};
	struct auth_exchange *x;
	struct fake f;

	(void)state;
	begin(&f, answers, countof(answers));
	assert_int_equal(answered(&f, auth_sasl_begin(f.auth, &peer, STR("X"), NULL), &x),
			 AUTH_CHALLENGE);
	auth_sasl_abort(&x);
	assert_null(x);
	assert_int_equal(ask(&f), AUTH_REFUSED);
	end(&f);
	assert_int_equal(f.conversations, 2);
}

static void an_offer_is_read(void **state)
{
	static const char *const answers[] = {
		"answer offer\npassword yes\nmechanisms PLAIN SCRAM-SHA-256\n\n",
		"answer refused\n\n"};
	struct auth_offer offer;
	struct fake f;
	struct err e;

	(void)state;
	begin(&f, answers, countof(answers));
	assert_int_equal(auth_ask_offer(f.auth, &peer, &offer, &e), 0);
	assert_true(offer.password && !offer.apop);
	assert_string_equal(offer.mechanisms, "PLAIN SCRAM-SHA-256");
	assert_int_equal(auth_ask_offer(f.auth, &peer, &offer, &e), -1);
	end(&f);
}

static void an_answer_may_come_later(void **state)
{
	static const char *const pieces[] = {"answer ok\nacc", "ount a@b\nui", "d 7\n\n"};
	struct auth_exchange *x = NULL;
	struct auth_call *call;
	struct fake f = {.plays = false};
	struct err e;
	int fd;

	(void)state;
	buf_init(&f.questions, 1 << 20);
	auth_answer_init(&f.out);
	assert_int_equal(handoff_pair(&f.give, &f.take, &e), 0);
	f.auth = auth_new(f.give);
	call = auth_password(f.auth, &peer, STR("alice"), STR("x"));
	fd = take_conversation(&f);
	assert_true(hear(&f, fd));
	for (size_t i = 0; i < countof(pieces); i++) {
		assert_false(auth_answered(&call, &x, &f.out));
		must(write(fd, pieces[i], strlen(pieces[i])) ==
		     (ssize_t)strlen(pieces[i]));
	}
	assert_true(auth_answered(&call, &x, &f.out));
	assert_null(call);
	assert_int_equal(f.out.result, AUTH_OK);
	assert_int_equal(f.out.uid, 7);

	/* What is abandoned is no answer to the next question. */
	call = auth_password(f.auth, &peer, STR("alice"), STR("x"));
	assert_true(hear(&f, fd));
	auth_abandon(&call);
	assert_false(hear(&f, fd));
	close(fd);
	call = auth_password(f.auth, &peer, STR("alice"), STR("x"));
	fd = take_conversation(&f);
	assert_true(hear(&f, fd));
	/* authd dies: a conversation that was new is not begun again. */
	close(fd);
	assert_int_equal(answered(&f, call, NULL), AUTH_TRY_AGAIN);
	end(&f);
}

static const struct auth_peer plain = {
	.service = "pop3", .sid = "s1", .client = "192.0.2.7", .server = "192.0.2.1:110"};

/* From an authd that says so, an offer is remembered, for those whom it fits, until that
 * authd is gone. */
static void an_offer_for_all_is_remembered(void **state)
{
	static const char *const answers[] = {
		"answer offer\nmechanisms A\nclient any\n\n",
		"answer offer\nmechanisms B\nclient any\n\n", /* to who has TLS */
		"answer offer\nmechanisms C\nclient any\n\n", /* and a certificate */
		NULL,
		"answer refused\n\n",
		"answer offer\nmechanisms D\n\n",
		"answer offer\nmechanisms E\n\n",
	};
	struct auth_peer other = plain, secure = plain, shown = plain;
	const struct {
		const struct auth_peer *peer;
		const char *mechanisms; /* NULL: a password is asked about instead */
	} turns[] = {{&plain, "A"},  {&other, "A"}, {&secure, "B"}, {&plain, "A"},
		     {&secure, "B"}, {&shown, "C"}, {&plain, "A"},  {&plain, NULL},
		     {&plain, "D"},  {&plain, "E"}};
	struct auth_offer offer;
	struct fake f;
	struct err e;

	(void)state;
	begin(&f, answers, countof(answers));
	other.client = "2001:db8::1";
	secure.tls = shown.tls = true;
	shown.certificate_names = STR("email a\n");
	for (size_t i = 0; i < countof(turns); i++) {
		if (turns[i].mechanisms == NULL) {
			assert_int_equal(ask(&f), AUTH_REFUSED);
			continue;
		}
		assert_int_equal(auth_ask_offer(f.auth, turns[i].peer, &offer, &e), 0);
		assert_string_equal(offer.mechanisms, turns[i].mechanisms);
	}
	end(&f);
}

static void too_much_is_refused_without_asking(void **state)
{
	static char big[WIRE_MAX];
	struct auth_call *call;
	struct auth_answer out;
	struct auth *a = auth_new(-1);

	(void)state;
	memset(big, 'a', sizeof big);
	auth_answer_init(&out);
	call = auth_password(a, &peer, STR("a"), (struct str){big, sizeof big});
	auth_wait(&call, NULL, &out);
	assert_int_equal(out.result, AUTH_REFUSED);
	auth_answer_fini(&out);
	auth_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_answered),
		cmocka_unit_test(rows_say_what_an_answer_means),
		cmocka_unit_test(a_conversation_is_used_again),
		cmocka_unit_test(a_dead_conversation_is_replaced),
		cmocka_unit_test(who_hears_nothing_asks_no_second_time),
		cmocka_unit_test(a_step_has_the_end_of_its_exchange),
		cmocka_unit_test(a_change_is_asked_once),
		cmocka_unit_test(an_exchange_has_steps),
		cmocka_unit_test(an_aborted_exchange_leaves_nothing),
		cmocka_unit_test(an_answer_may_come_later),
		cmocka_unit_test(an_offer_is_read),
		cmocka_unit_test(an_offer_for_all_is_remembered),
		cmocka_unit_test(too_much_is_refused_without_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
