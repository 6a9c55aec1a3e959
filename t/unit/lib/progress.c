/* SPDX-License-Identifier: ISC */
/* The bar as a line, on a terminal (a pty), and its silence elsewhere. */
#include "lib/progress.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
	uint64_t total, done, now_ms;
	unsigned columns;
	const char *out;
} cases[] = {
	/* clang-format off */
	{0,    5,    61000,   79, "adding  5  1:01"},
	{2000, 0,    0,       79, "adding  [........................]   0%  0/2000  0:00"},
	{2000, 820,  12999,   79, "adding  [#########...............]  41%  820/2000  0:12"},
	{2000, 2000, 3600000, 79, "adding  [########################] 100%  2000/2000  60:00"},
	{199,  100,  0,       79, "adding  [############............]  50%  100/199  0:00"},
	{10,   12,   0,       79, "adding  [########################] 100%  12/10  0:00"},
	{2000, 820,  12999,   10, "adding  [#"},
	/* clang-format on */
};

static void rows_say_what_is_drawn(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct progress p = {.what = "adding",
				     .total = cases[i].total,
				     .done = cases[i].done,
				     .fd = -1};
		struct buf out;

		buf_init(&out, 512);
		progress_line(&p, cases[i].now_ms, cases[i].columns, &out);
		assert_string_equal(buf_cstr(&out), cases[i].out);
		buf_fini(&out);
	}
}

static void of_a_part_the_share_is_drawn_and_the_count(void **state)
{
	struct progress p = {.what = "begun", .fd = -1};
	struct buf out;

	(void)state;
	buf_init(&out, 512);
	progress_part(&p, "checking messages", 4199, 10000, 123456);
	progress_line(&p, 12999, 79, &out);
	assert_string_equal(
		buf_cstr(&out),
		"checking messages  [#########...............]  41%  123456  0:12");
	buf_fini(&out);
}

struct terminal {
	int master, slave;
};

static void open_terminal(struct terminal *t)
{
	struct winsize w = {.ws_col = 200, .ws_row = 25};

	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	assert_true(t->master >= 0);
	assert_int_equal(grantpt(t->master), 0);
	assert_int_equal(unlockpt(t->master), 0);
	t->slave = open(ptsname(t->master), O_RDWR | O_NOCTTY);
	assert_true(t->slave >= 0);
	assert_int_equal(ioctl(t->slave, TIOCSWINSZ, &w), 0);
}

static void close_terminal(struct terminal *t)
{
	close(t->slave);
	close(t->master);
}

/* assert_shown - what reached the terminal since the last call.  The kernel hands it on
 * in its own time, so what is expected is waited for; what comes unexpected is seen
 * here or by the next call. */
static void assert_shown(const struct terminal *t, const char *expected)
{
	struct pollfd p = {.fd = t->master, .events = POLLIN};
	char text[1000] = "";
	size_t at = 0;

	while (at < strlen(expected) && poll(&p, 1, 10000) == 1) {
		ssize_t n = read(t->master, text + at, sizeof text - 1 - at);

		assert_true(n > 0);
		at += (size_t)n;
	}
	if (at == strlen(expected)) {
		ssize_t n = read(t->master, text + at, sizeof text - 1 - at);

		(void)n; /* nothing to read is EAGAIN, and the text stays as it is */
	}
	assert_string_equal(text, expected);
}

static void nothing_in_the_first_half_second(void **state)
{
	struct progress p;
	struct terminal t;

	(void)state;
	open_terminal(&t);
	progress_begin(&p, t.slave, "adding", 0);
	p.begin_ms += 3600000; /* a slow machine must not make it later than it is */
	progress_to(&p, 1);
	progress_hide(&p);
	progress_end(&p);
	assert_shown(&t, "");
	close_terminal(&t);
}

static void drawn_rarely_hidden_and_ended_with_a_line(void **state)
{
	struct progress p;
	struct terminal t;

	(void)state;
	open_terminal(&t);
	progress_begin(&p, t.slave, "adding", 0);
	p.begin_ms -= 5000; /* five seconds pass */
	progress_to(&p, 2);
	assert_shown(&t, "\radding  2  0:05\x1b[K");
	p.drawn_ms += 3600000; /* just now, however slow the machine */
	progress_to(&p, 3);
	assert_shown(&t, "");
	progress_hide(&p);
	progress_hide(&p); /* nothing to hide any more */
	assert_shown(&t, "\r\x1b[K");
	progress_end(&p);
	assert_shown(&t, "\radding  3  0:05\x1b[K\r\n");
	progress_end(&p);
	assert_shown(&t, "");
	close_terminal(&t);
}

static void silent_where_there_is_no_terminal(void **state)
{
	struct progress p;
	char octet;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	progress_begin(&p, ends[1], "adding", 10);
	p.begin_ms -= 5000;
	progress_to(&p, 5);
	progress_hide(&p);
	progress_end(&p);
	assert_int_equal(read(ends[0], &octet, 1), -1);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_what_is_drawn),
		cmocka_unit_test(of_a_part_the_share_is_drawn_and_the_count),
		cmocka_unit_test(nothing_in_the_first_half_second),
		cmocka_unit_test(drawn_rarely_hidden_and_ended_with_a_line),
		cmocka_unit_test(silent_where_there_is_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
