/* SPDX-License-Identifier: ISC */
#include "mail/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 64 };

/* feed - in pieces of `step`, each in memory of its own size; what came of the message */
static enum order_state feed(struct order *o, struct str in, size_t step,
			     struct buf *message)
{
	while (in.n > 0 && order_state(o) != ORDER_WHOLE &&
	       order_state(o) != ORDER_BROKEN) {
		size_t n = in.n < step ? in.n : step, used;
		char *copy = malloc(n);
		struct str piece;

		memcpy(copy, in.p, n);
		used = order_feed(o, (struct str){copy, n}, &piece);
		assert_in_range(used, 1, n);
		buf_put(message, piece);
		free(copy);
		in = (struct str){in.p + used, in.n - used};
	}
	return order_state(o);
}

#define ENVELOPE "timeout 5\nsender s@x\nrcpt a@b\nrcpt c@d\nmessage\n"
#define END      "\0\0\0\0"

static const struct {
	const char *name;
	struct str in;
	enum order_state state;
	struct str message;
} cases[] = {
	/* clang-format off */
	{"whole", STR_INIT(ENVELOPE "\0\0\0\2hi\0\0\0\1\n" END), ORDER_WHOLE, STR_INIT("hi\n")},
	{"empty message", STR_INIT(ENVELOPE END), ORDER_WHOLE, STR_INIT("")},
	{"no end", STR_INIT(ENVELOPE "\0\0\0\2hi"), ORDER_MESSAGE, STR_INIT("hi")},
	{"half a piece", STR_INIT(ENVELOPE "\0\0\0\2h"), ORDER_MESSAGE, STR_INIT("h")},
	{"half a length", STR_INIT(ENVELOPE "\0\0\0"), ORDER_MESSAGE, STR_INIT("")},
	{"no message", STR_INIT("timeout 5\nsender s@x\nrcpt a@b\n"), ORDER_ENVELOPE, STR_INIT("")},
	{"null sender", STR_INIT("timeout 5\nsender \nrcpt a@b\nmessage\n" END), ORDER_WHOLE, STR_INIT("")},
	{"options", STR_INIT("timeout 5\nsender s@x\nnotify success,delay\nret hdrs\nrcpt a@b\nmessage\n" END), ORDER_WHOLE, STR_INIT("")},
	{"two notify", STR_INIT("sender a\nnotify never\nnotify never\n"), ORDER_BROKEN, STR_INIT("")},
	{"no sender", STR_INIT("timeout 5\nrcpt a@b\nmessage\n"), ORDER_BROKEN, STR_INIT("")},
	{"two senders", STR_INIT("sender a\nsender b\n"), ORDER_BROKEN, STR_INIT("")},
	{"no recipient", STR_INIT("sender a\nmessage\n"), ORDER_BROKEN, STR_INIT("")},
	{"empty recipient", STR_INIT("sender a\nrcpt \n"), ORDER_BROKEN, STR_INIT("")},
	{"a NUL", STR_INIT("sender a\nrcpt a\0b\n"), ORDER_BROKEN, STR_INIT("")},
	{"a CR", STR_INIT("sender a\r\n"), ORDER_BROKEN, STR_INIT("")},
	{"no number", STR_INIT("timeout soon\n"), ORDER_BROKEN, STR_INIT("")},
	{"number too large", STR_INIT("timeout 4294967296\n"), ORDER_BROKEN, STR_INIT("")},
	{"other word", STR_INIT("program /bin/sh\n"), ORDER_BROKEN, STR_INIT("")},
	{"empty line", STR_INIT("\n"), ORDER_BROKEN, STR_INIT("")},
	{"piece too long", STR_INIT(ENVELOPE "\0\0\x40\1"), ORDER_BROKEN, STR_INIT("")},
	{"largest number", STR_INIT(ENVELOPE "\xff\xff\xff\xff"), ORDER_BROKEN, STR_INIT("")},
	{"more than has room", STR_INIT(ENVELOPE "\0\0\0\x41"), ORDER_BROKEN, STR_INIT("")},
	/* clang-format on */
};

static void orders_are_understood(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++)
		for (size_t step = 1; step <= cases[i].in.n; step++) {
			struct order *o = order_new(ROOM);
			struct buf message;

			print_message("# %s, %zu at a time\n", cases[i].name, step);
			buf_init(&message, 4096);
			assert_int_equal(feed(o, cases[i].in, step, &message),
					 cases[i].state);
			assert_true(str_eq(buf_str(&message), cases[i].message));
			buf_fini(&message);
			order_free(&o);
			assert_null(o);
		}
}

static void what_is_asked_arrives(void **state UNUSED)
{
	const char *rcpt[] = {"a@b", "-oQ/tmp@b", "\"x y\"@b"};
	struct submit s = {.sender = "who@x",
			   .rcpt = rcpt,
			   .n_rcpt = countof(rcpt),
			   .timeout_ms = 4711,
			   .notify = "success,failure",
			   .ret = "hdrs"};
	struct order *o = order_new(ROOM);
	struct buf out, message;
	struct submit got;

	buf_init(&out, order_envelope_max(&s) + 100);
	buf_init(&message, 100);
	order_put_envelope(&out, &s);
	order_put_piece(&out, STR("text\n"));
	order_put_piece(&out, STR(""));
	assert_int_equal(feed(o, buf_str(&out), out.n, &message), ORDER_WHOLE);
	order_submit(o, &got);
	assert_string_equal(got.sender, "who@x");
	assert_int_equal(got.timeout_ms, 4711);
	assert_string_equal(got.notify, "success,failure");
	assert_string_equal(got.ret, "hdrs");
	assert_int_equal(got.n_rcpt, countof(rcpt));
	for (size_t i = 0; i < countof(rcpt); i++)
		assert_string_equal(got.rcpt[i], rcpt[i]);
	assert_string_equal(buf_cstr(&message), "text\n");
	order_free(&o);
	buf_fini(&out);
	buf_fini(&message);
}

static void limits_are_kept(void **state UNUSED)
{
	struct order *o = order_new(ROOM);
	struct buf in, message;

	buf_init(&message, 100);
	buf_init(&in, 1 << 20);
	buf_put(&in, STR("sender a\n"));
	for (int i = 0; i < SUBMIT_RECIPIENTS; i++)
		buf_put(&in, STR("rcpt a@b\n"));
	assert_int_equal(feed(o, buf_str(&in), in.n, &message), ORDER_ENVELOPE);
	assert_int_equal(feed(o, STR("rcpt a@b\n"), 9, &message), ORDER_BROKEN);
	order_free(&o);
	o = order_new(ROOM);
	buf_clear(&in);
	buf_put(&in, STR("sender "));
	for (int i = 0; i < ORDER_LINE_MAX; i++)
		buf_putc(&in, 'x');
	assert_int_equal(feed(o, buf_str(&in), in.n, &message), ORDER_BROKEN);
	order_free(&o);
	buf_fini(&in);
	buf_fini(&message);
}

static const struct {
	const char *line;
	int rc;
	enum err_class class;
	const char *dsn, *text;
} answers[] = {
	/* clang-format off */
	{"ok", 0, ERR_NONE, "", ""},
	{"temporary 4.4.5 took too long", -1, ERR_TEMP, "4.4.5", "took too long"},
	{"permanent 5.1.1 no such user", -1, ERR_PERM, "5.1.1", "no such user"},
	{"permanent 4.1.1 odd", -1, ERR_TEMP, "4.3.0", "popstore-submitd gave no answer"},
	{"permanent 5.1.1.1.1.1.1.1 odd", -1, ERR_TEMP, "4.3.0", "popstore-submitd gave no answer"},
	{"", -1, ERR_TEMP, "4.3.0", "popstore-submitd gave no answer"},
	{"okay", -1, ERR_TEMP, "4.3.0", "popstore-submitd gave no answer"},
	/* clang-format on */
};

static void answers_are_understood(void **state UNUSED)
{
	for (size_t i = 0; i < countof(answers); i++) {
		struct err e = {0};

		assert_int_equal(order_answer(str_of(answers[i].line), &e),
				 answers[i].rc);
		assert_int_equal(e.class, answers[i].class);
		assert_string_equal(e.dsn, answers[i].dsn);
		assert_string_equal(e.text, answers[i].text);
	}
}

static void an_answer_is_one_line(void **state UNUSED)
{
	struct err e = {0};
	struct buf out;

	buf_init(&out, ORDER_ANSWER_MAX);
	err_set(&e, ERR_TEMP, "4.3.0", "a\nok\n\x1b");
	order_put_answer(&out, -1, &e);
	assert_string_equal(buf_cstr(&out), "temporary 4.3.0 a?ok??\n");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_understood),
		cmocka_unit_test(what_is_asked_arrives),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(answers_are_understood),
		cmocka_unit_test(an_answer_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
