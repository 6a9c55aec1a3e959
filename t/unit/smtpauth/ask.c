/* SPDX-License-Identifier: ISC */
#include "smtpauth/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>

/* An authd that hears one question and says whatever it is told to. */
struct fake {
	char dir[32], path[64];
	int fd;
	pthread_t thread;
	const char *says;
	char heard[256];
};

static void *serve(void *arg)
{
	struct fake *f = arg;
	int fd = accept(f->fd, NULL, NULL);
	size_t n = 0;
	ssize_t got;

	assert_true(fd >= 0);
	while (n < 2 || memcmp(f->heard + n - 2, "\n\n", 2) != 0) {
		got = read(fd, f->heard + n, sizeof f->heard - 1 - n);
		assert_true(got > 0);
		n += (size_t)got;
	}
	/* An octet at a time, as far as anybody listens: an answer may come in pieces. */
	for (const char *p = f->says; *p != '\0'; p++)
		if (send(fd, p, 1, MSG_NOSIGNAL) < 0)
			break;
	close(fd);
	return NULL;
}

static void start(struct fake *f, const char *says)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	*f = (struct fake){.says = says};
	snprintf(f->dir, sizeof f->dir, "/tmp/ask-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/auth", f->dir);
	snprintf(at.sun_path, sizeof at.sun_path, "%s", f->path);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->fd, (void *)&at, sizeof at), 0);
	assert_int_equal(listen(f->fd, 1), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void end(struct fake *f)
{
	pthread_join(f->thread, NULL);
	close(f->fd);
	unlink(f->path);
	rmdir(f->dir);
}

/* asked - what ask() returns when authd says `says`; the reason in *e */
static int asked(const char *says, struct err *e)
{
	struct wire question, answer;
	struct fake f;

	start(&f, says);
	wire_init(&question);
	wire_init(&answer);
	wire_put(&question, "do", STR("lookup"));
	assert_true(wire_finish(&question));

	int rc = ask(f.path, &question, &answer, e);

	end(&f);
	assert_string_equal(f.heard, "do lookup\n\n");
	if (rc == 0)
		assert_true(wire_is(&answer, "answer", "refused"));
	wire_fini(&question);
	wire_fini(&answer);
	return rc;
}

static void fails(const char *says, const char *why)
{
	struct err e;

	assert_int_equal(asked(says, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, why));
}

static void a_whole_answer_is_taken(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(asked("answer refused\n\n", &e), 0);
}

static void anything_else_is_trouble(void **state)
{
	(void)state;
	fails("", "hung up");
	fails("answer ok\n", "hung up");
	fails("HTTP/1.1 400 Bad Request\r\n\r\n", "no answer");
}

static void nobody_there_is_trouble(void **state)
{
	char too_long[200];
	struct wire question, answer;
	struct err e;

	(void)state;
	wire_init(&question);
	wire_init(&answer);
	assert_true(wire_finish(&question));
	assert_int_equal(ask("/tmp/ask-nobody/auth", &question, &answer, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	memset(too_long, 'x', sizeof too_long - 1);
	too_long[sizeof too_long - 1] = '\0';
	assert_int_equal(ask(too_long, &question, &answer, &e), -1);
	wire_fini(&question);
	wire_fini(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_answer_is_taken),
		cmocka_unit_test(anything_else_is_trouble),
		cmocka_unit_test(nobody_there_is_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
