/* SPDX-License-Identifier: ISC */
#include "front/handover.h"

#include "lib/handoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TITLE "popstore-handover 1\n"
#define LEAST "account a@b\npeer unix:0\nsid 1-1\n"

static struct handover example(void)
{
	return (struct handover){.account = "alice@example.org",
				 .uid = UINT64_MAX,
				 .peer = "[2001:db8::1]:1234",
				 .sid = "1f6b-6a",
				 .ticket = "1-2",
				 .tls = true,
				 .plaintext = true,
				 .mechanisms = "PLAIN SCRAM-SHA-256",
				 .server = "[2001:db8::2]:4190",
				 .last_word = "dj0x",
				 .unread = STR("STAT\r\nRE\0")};
}

static void what_is_written_is_read(void **state UNUSED)
{
	struct handover h = example(), got;
	struct buf note;
	struct err e;

	buf_init(&note, HANDOFF_NOTE_MAX);
	assert_true(handover_write(&h, &note));
	assert_int_equal(handover_read(buf_str(&note), &got, &e), 0);
	assert_string_equal(got.account, h.account);
	assert_true(got.uid == h.uid);
	assert_string_equal(got.peer, h.peer);
	assert_string_equal(got.sid, h.sid);
	assert_string_equal(got.ticket, h.ticket);
	assert_string_equal(got.mechanisms, h.mechanisms);
	assert_string_equal(got.server, h.server);
	assert_string_equal(got.last_word, h.last_word);
	assert_false(got.loopback);
	assert_true(got.tls && got.plaintext);
	assert_true(str_eq(got.unread, h.unread));
	buf_fini(&note);
}

static void a_last_word_that_is_too_long_is_not_cut(void **state UNUSED)
{
	static char octets[HANDOVER_LAST_WORD];
	struct handover h = example();
	struct buf note;

	buf_init(&note, HANDOFF_NOTE_MAX);
	handover_last_word(&h, STR("v=1"));
	assert_string_equal(h.last_word, "dj0x");
	handover_last_word(&h, (struct str){octets, (HANDOVER_LAST_WORD - 1) / 4 * 3});
	assert_true(handover_write(&h, &note));
	buf_clear(&note);
	handover_last_word(&h, (struct str){octets, HANDOVER_LAST_WORD / 4 * 3});
	assert_false(handover_write(&h, &note));
	handover_last_word(&h, STR(""));
	assert_string_equal(h.last_word, "");
	buf_fini(&note);
}

/* The longest of all fits a note. */
static void the_longest_fits(void **state UNUSED)
{
	static char unread[HANDOVER_UNREAD];
	struct handover h = {.unread = {unread, sizeof unread}}, got;
	struct buf note;
	struct err e;

	memset(h.account, 'a', sizeof h.account - 1);
	memset(h.peer, 'p', sizeof h.peer - 1);
	memset(h.sid, 's', sizeof h.sid - 1);
	memset(h.mechanisms, 'm', sizeof h.mechanisms - 1);
	memset(h.server, 's', sizeof h.server - 1);
	memset(h.last_word, 'w', sizeof h.last_word - 1);
	memset(unread, '\n', sizeof unread);
	buf_init(&note, HANDOFF_NOTE_MAX);
	assert_true(handover_write(&h, &note));
	assert_int_equal(handover_read(buf_str(&note), &got, &e), 0);
	assert_string_equal(got.mechanisms, h.mechanisms);
	assert_int_equal(got.unread.n, HANDOVER_UNREAD);
	buf_fini(&note);
}

static void what_is_no_text_is_not_written(void **state UNUSED)
{
	struct handover h = example();
	struct buf note;

	buf_init(&note, HANDOFF_NOTE_MAX);
	snprintf(h.mechanisms, sizeof h.mechanisms, "PLAIN\nuid 1");
	assert_false(handover_write(&h, &note));
	buf_fini(&note);
}

static void nothing_else_is_believed(void **state UNUSED)
{
	static const struct str notes[] = {
		/* clang-format off */
		STR_INIT(""),
		STR_INIT("\n"),
		STR_INIT("popstore-handover 2\n" LEAST "\n"),
		STR_INIT(TITLE),
		STR_INIT(TITLE LEAST),
		STR_INIT(TITLE "peer unix:0\nsid 1-1\n\n"),
		STR_INIT(TITLE "account a@b\nsid 1-1\n\n"),
		STR_INIT(TITLE "account a@b\npeer unix:0\n\n"),
		STR_INIT(TITLE LEAST "account c@d\n\n"),
		STR_INIT(TITLE LEAST "uid\n\n"),
		STR_INIT(TITLE LEAST "uid -1\n\n"),
		STR_INIT(TITLE LEAST "uid 18446744073709551616\n\n"),
		STR_INIT(TITLE LEAST "tls no\n\n"),
		STR_INIT(TITLE LEAST "root yes\n\n"),
		STR_INIT(TITLE LEAST "mechanisms a\0b\n\n"),
		STR_INIT(TITLE LEAST "mechanisms a\rb\n\n"),
		STR_INIT(TITLE LEAST "sid 0123456789abcdef\n\n"),
		/* clang-format on */
	};
	struct handover got;
	struct err e = {0};

	assert_int_equal(handover_read(STR(TITLE LEAST "\n"), &got, &e), 0);
	for (size_t i = 0; i < countof(notes); i++) {
		assert_int_equal(handover_read(notes[i], &got, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_last_word_that_is_too_long_is_not_cut),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(what_is_no_text_is_not_written),
		cmocka_unit_test(nothing_else_is_believed),
	};

	return cmocka_run_group_tests_name("front/handover", tests, NULL, NULL);
}
