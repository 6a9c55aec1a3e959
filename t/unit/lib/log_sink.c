/* SPDX-License-Identifier: ISC */
#include "lib/log_sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/conn.h"
#include "lib/log.h"

/* Standard error, in the hands of a test. */
struct reader {
	int fd, old;
};

static void begin(struct reader *r, bool stream)
{
	int fds[2];

	if (stream)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	else
		assert_int_equal(pipe(fds), 0);
	r->fd = fds[0];
	r->old = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_open("unit", false, LOG_LV_INFO);
}

static void end(struct reader *r)
{
	dup2(r->old, STDERR_FILENO);
	close(r->old);
	close(r->fd);
	log_open("unit", false, LOG_LV_INFO);
}

/* drain - what is there to be read */
static size_t drain(struct reader *r, char *to, size_t room)
{
	size_t at = 0;
	ssize_t n;

	fcntl(r->fd, F_SETFL, O_NONBLOCK);
	while (at < room && (n = read(r->fd, to + at, room - at)) > 0)
		at += (size_t)n;
	return at;
}

static void write_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		log_event(LOG_LV_INFO, "unit.line", kv_u("n", i));
}

/* a_reader_that_hangs - holds up one line for a second, and after that nobody; when it reads
 * again it learns how much it missed */
static void a_reader_that_hangs(bool stream)
{
	enum { LINES = 20000 };
	static char text[1 << 22];
	uint64_t began = clock_ms(), took;
	const char *lost;
	struct reader r;
	size_t n;

	begin(&r, stream);
	write_many(LINES);
	took = clock_ms() - began;
	assert_true(took >= LOG_SINK_WAIT_MS);
	assert_true(took < 60 * LOG_SINK_WAIT_MS);
	n = drain(&r, text, sizeof text - 1);
	assert_true(n > 4096 && text[n - 1] == '\n');
	write_many(1);
	n = drain(&r, text, sizeof text - 1);
	text[n] = '\0';
	lost = strstr(text, "event=log.lost level=error lines=");
	assert_non_null(lost);
	end(&r);
}

static void a_pipe_that_is_not_read(void **state UNUSED)
{
	a_reader_that_hangs(false);
}

static void a_socket_that_is_not_read(void **state UNUSED)
{
	a_reader_that_hangs(true);
}

static unsigned lines_in(const char *text, size_t n)
{
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Room for one line is none for the line that tells of the lost ones. */
static void none_that_was_lost_is_forgotten(void **state UNUSED)
{
	enum { LINES = 2000, LONG = 16 };
	static char text[1 << 22], value[256];
	struct log_kv kv[LONG];
	struct reader r;
	unsigned written;
	const char *lost;
	uint64_t told;
	size_t n;

	memset(value, 'x', sizeof value - 1);
	for (size_t i = 0; i < LONG; i++)
		kv[i] = kv_s("a_key_that_makes_it_longer_than_a_page", value);
	begin(&r, false);
	write_many(LINES);
	assert_int_equal(read(r.fd, text, 4096), 4096);
	written = lines_in(text, 4096);
	log_write(LOG_LV_INFO, "unit.line", kv, LONG);
	n = drain(&r, text, sizeof text);
	assert_int_equal(text[n - 1], '\n');
	written += lines_in(text, n) - 1;
	write_many(1);
	n = drain(&r, text, sizeof text - 1);
	text[n] = '\0';
	lost = strstr(text, "event=log.lost level=error lines=");
	assert_non_null(lost);
	lost = strstr(lost, "lines=") + 6;
	assert_true(str_u64((struct str){lost, strcspn(lost, "\n")}, &told));
	assert_int_equal(told, LINES - written);
	end(&r);
}

static void a_slow_reader_gets_every_line(void **state UNUSED)
{
	enum { LINES = 20000 };
	struct reader r;
	char piece[512];
	unsigned lines = 0;
	ssize_t n;
	pid_t pid;
	int status;

	begin(&r, false);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(r.fd);
		write_many(LINES);
		_exit(0);
	}
	while (lines < LINES && (n = read(r.fd, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += piece[i] == '\n';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(lines, LINES);
	end(&r);
}

static void nobody_is_there(void **state UNUSED)
{
	struct reader r;

	signal(SIGPIPE, SIG_IGN);
	begin(&r, false);
	close(r.fd);
	r.fd = dup(STDERR_FILENO);
	write_many(3);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipe_that_is_not_read),
		cmocka_unit_test(a_socket_that_is_not_read),
		cmocka_unit_test(none_that_was_lost_is_forgotten),
		cmocka_unit_test(a_slow_reader_gets_every_line),
		cmocka_unit_test(nobody_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
