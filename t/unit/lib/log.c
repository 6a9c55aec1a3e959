/* SPDX-License-Identifier: ISC */
#include "lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"

/* one - the line for one value */
static void one(struct buf *out, struct log_kv kv)
{
	buf_clear(out);
	log_format(out, LOG_LV_INFO, "t", &kv, 1);
}

static void a_value_cannot_leave_its_place(void **state UNUSED)
{
	static const struct {
		struct str value;
		const char *line;
	} rows[] = {
		/* clang-format off */
		{STR_INIT("alice"),              "event=t level=info k=alice"},
		{STR_INIT(""),                   "event=t level=info k=\"\""},
		{STR_INIT("a b"),                "event=t level=info k=\"a b\""},
		{STR_INIT("a=b"),                "event=t level=info k=\"a=b\""},
		{STR_INIT("a\"b"),               "event=t level=info k=\"a\\\"b\""},
		{STR_INIT("a\\b"),               "event=t level=info k=\"a\\\\b\""},
		{STR_INIT("a\r\nevent=x"),       "event=t level=info k=\"a\\x0d\\x0aevent=x\""},
		{STR_INIT("a\0b"),               "event=t level=info k=\"a\\x00b\""},
		{STR_INIT("\x1b[2J\x7f\x9b"),    "event=t level=info k=\"\\x1b[2J\\x7f\\x9b\""},
		{STR_INIT("\xc3\xa4"),           "event=t level=info k=\"\\xc3\\xa4\""},
		{STR_INIT("<a@b>:[]%s"),         "event=t level=info k=<a@b>:[]%s"},
		/* clang-format on */
	};
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < countof(rows); i++) {
		one(&out, kv_str("k", rows[i].value));
		assert_string_equal(buf_cstr(&out), rows[i].line);
	}
	buf_fini(&out);
}

static void a_value_is_cut_at_256_octets(void **state UNUSED)
{
	char value[300], want[400];
	struct buf out;

	buf_init(&out, 4096);
	memset(value, 'x', sizeof value);
	one(&out, kv_str("k", ((struct str){value, 256})));
	snprintf(want, sizeof want, "event=t level=info k=%.256s", value);
	assert_string_equal(buf_cstr(&out), want);
	one(&out, kv_str("k", ((struct str){value, 257})));
	snprintf(want, sizeof want, "event=t level=info k=%.256s...", value);
	assert_string_equal(buf_cstr(&out), want);
	value[0] = ' ';
	one(&out, kv_str("k", ((struct str){value, 257})));
	snprintf(want, sizeof want, "event=t level=info k=\"%.256s\"...", value);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void every_kind_of_value(void **state UNUSED)
{
	struct buf out;
	struct err e;

	err_set(&e, ERR_TEMP, "4.3.1", "write: No space left");

	const struct log_kv kv[] = {kv_s("s", NULL), kv_u("n", UINT64_MAX), kv_u("z", 0),
				    kv_err(&e)};

	buf_init(&out, 4096);
	log_format(&out, LOG_LV_WARN, "lmtp.x", kv, countof(kv));
	assert_string_equal(buf_cstr(&out),
			    "event=lmtp.x level=warn s=\"\" n=18446744073709551615 z=0 "
			    "dsn=4.3.1 err=\"write: No space left\"");
	err_set(&e, ERR_PEER, "", "gone");
	one(&out, kv_err(&e));
	assert_string_equal(buf_cstr(&out), "event=t level=info err=gone");
	buf_fini(&out);
}

/* written - what `f` writes to standard error */
static void written(enum log_level level, void (*f)(void), char *said, size_t size)
{
	int fds[2], old = dup(STDERR_FILENO);

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_open("prog", false, level);
	f();
	dup2(old, STDERR_FILENO);
	close(old);
	log_open("prog", false, level); /* lets go of the pipe */

	size_t at = 0;
	ssize_t n;

	while ((n = read(fds[0], said + at, size - 1 - at)) > 0)
		at += (size_t)n;
	said[at] = '\0';
	close(fds[0]);
}

static void one_of_each_level(void)
{
	log_event(LOG_LV_ERROR, "e", kv_u("n", 1));
	log_event(LOG_LV_WARN, "w", kv_u("n", 2));
	log_event(LOG_LV_INFO, "i", kv_u("n", 3));
	log_event(LOG_LV_DEBUG, "d", kv_u("n", 4));
}

static void levels_are_kept(void **state UNUSED)
{
	static const char *const present[] = {
		"event=e level=error n=1\n", "event=w level=warn n=2\n",
		"event=i level=info n=3\n", "event=d level=debug n=4\n"};
	char said[1024];

	for (int level = LOG_LV_ERROR; level <= LOG_LV_DEBUG; level++) {
		written((enum log_level)level, one_of_each_level, said, sizeof said);
		for (int i = 0; i < 4; i++)
			assert_int_equal(strstr(said, present[i]) != NULL, i <= level);
		assert_memory_equal(said, "prog[", 5);
	}
}

static void too_much(void)
{
	char x[256];
	struct log_kv kv[40];

	memset(x, '\n', sizeof x);
	for (size_t i = 0; i < countof(kv); i++)
		kv[i] = kv_str("k", ((struct str){x, sizeof x}));
	log_write(LOG_LV_ERROR, "t", kv, countof(kv));
}

static void a_line_too_long_is_still_one_line(void **state UNUSED)
{
	char said[16384];

	written(LOG_LV_INFO, too_much, said, sizeof said);
	assert_int_equal(strlen(said), 4096);
	assert_ptr_equal(strchr(said, '\n'), said + 4095);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_cannot_leave_its_place),
		cmocka_unit_test(a_value_is_cut_at_256_octets),
		cmocka_unit_test(every_kind_of_value),
		cmocka_unit_test(levels_are_kept),
		cmocka_unit_test(a_line_too_long_is_still_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
