/* SPDX-License-Identifier: ISC */
/* Both ends: mail/outgoing.c asks, a thread answers as popstore-submitd does. */
#include "submit/session.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/conn.h"
#include "lib/handoff.h"
#include "lib/settings.h"
#include "mail/outgoing.h"

static char dir[] = "/tmp/popstore-submitd-XXXXXX";
static char program[64];
static int give, take;

static void script(const char *body)
{
	FILE *f;

	snprintf(program, sizeof program, "%s/sendmail", dir);
	unlink(program);
	f = fopen(program, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\ncd %s\n%s", dir, body);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(program, 0700), 0);
}

static struct str written(char text[256])
{
	char path[64];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "%s/in", dir);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return STR("nothing");
	n = read(fd, text, 256);
	close(fd);
	unlink(path);
	return (struct str){text, (size_t)n};
}

/* answer_one - the next that comes along the channel */
static void *answer_one(void *unused UNUSED)
{
	struct pollfd p = {.fd = take, .events = POLLIN};
	struct settings set = {.sendmail = program, .lmtp.max_message = 100000};
	struct buf note;
	struct conn c;
	struct err e;
	int fd;

	buf_init(&note, HANDOFF_NOTE_MAX);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(handoff_take(take, &fd, &note, &e), 0);
	assert_true(fd >= 0);
	conn_open(&c, fd, 10000);
	submit_session(&set, &c);
	conn_close(&c);
	buf_fini(&note);
	return NULL;
}

struct source {
	struct str stored;
	bool fails;
};

static int read_source(void *ctx, uint64_t offset, char *to, size_t n, size_t *got,
		       struct err *e)
{
	const struct source *s = ctx;
	size_t left = s->stored.n - offset;

	if (s->fails && offset > 0)
		return err_set(e, ERR_TEMP, "4.3.0", "broken");
	*got = s->fails ? 2 : n < left ? n : left;
	memcpy(to, s->stored.p + offset, *got);
	return 0;
}

static int mail(struct source *src, struct err *e)
{
	const char *rcpt[] = {"a@b"};
	struct submit s = {.sender = "s@x",
			   .rcpt = rcpt,
			   .n_rcpt = 1,
			   .timeout_ms = 10000,
			   .read = read_source,
			   .ctx = src};
	pthread_t thread;
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, answer_one, NULL), 0);
	rc = outgoing_mail(give, &s, e);
	pthread_join(thread, NULL);
	return rc;
}

static void the_message_arrives(void **state UNUSED)
{
	struct source src = {STR("A: b\r\n\r\n..x\r\n.\r\n"), false};
	struct err e = {0};
	char text[256];

	script("cat > in; echo \"$@\" >> in");
	assert_int_equal(mail(&src, &e), 0);
	assert_true(str_eq(written(text), STR("A: b\n\n.x\n-i -f s@x -- a@b\n")));
}

static void the_answer_is_the_programs(void **state UNUSED)
{
	struct source src = {STR(".\r\n"), false};
	struct err e = {0};

	script("echo 'not here'; exit 67");
	assert_int_equal(mail(&src, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_string_equal(e.dsn, "5.1.1");
	assert_non_null(strstr(e.text, "not here"));
}

static void half_a_message_starts_nothing(void **state UNUSED)
{
	struct source src = {STR("a\r\nb\r\n.\r\n"), true};
	struct err e = {0};
	char text[256];

	script("cat > in");
	assert_int_equal(mail(&src, &e), -1);
	assert_string_equal(e.text, "broken");
	assert_true(str_eq(written(text), STR("nothing")));
}

static void too_large_a_message_starts_nothing(void **state UNUSED)
{
	enum { LARGE = 400000 };
	char *stored = malloc(LARGE);
	struct source src = {{stored, LARGE}, false};
	struct err e = {0};
	char text[256];

	memset(stored, 'x', LARGE);
	memcpy(stored + LARGE - 5, "\r\n.\r\n", 5);
	script("cat > in");
	assert_int_equal(mail(&src, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_true(str_eq(written(text), STR("nothing")));
	free(stored);
}

static void nobody_is_there(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct submit s = {.sender = "", .rcpt = rcpt, .n_rcpt = 1, .timeout_ms = 1000};
	struct err e = {0};

	assert_int_equal(outgoing_mail(-1, &s, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.dsn, "4.3.5");
}

static int begin(void **state UNUSED)
{
	struct err e;

	return mkdtemp(dir) != NULL ? handoff_pair(&give, &take, &e) : -1;
}

static int end(void **state UNUSED)
{
	unlink(program);
	close(give);
	close(take);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_message_arrives),
		cmocka_unit_test(the_answer_is_the_programs),
		cmocka_unit_test(half_a_message_starts_nothing),
		cmocka_unit_test(too_large_a_message_starts_nothing),
		cmocka_unit_test(nobody_is_there),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
