/* SPDX-License-Identifier: ISC */
/* A shell script stands for sendmail(1); what it was given is in a directory. */
#include "mail/submit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"

static char dir[] = "/tmp/popstore-submit-XXXXXX";
static char program[64];

static void path_of(char *out, size_t n, const char *name)
{
	snprintf(out, n, "%s/%s", dir, name);
}

static void script(const char *body)
{
	FILE *f;

	path_of(program, sizeof program, "sendmail");
	unlink(program);
	f = fopen(program, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\ncd %s\n%s", dir, body);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(program, 0700), 0);
}

static void written(const char *name, struct buf *out)
{
	char path[64];
	int fd;
	ssize_t n;

	path_of(path, sizeof path, name);
	buf_init(out, 1 << 20);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	while ((n = read(fd, buf_reserve(out, 65536), 65536)) > 0)
		buf_used(out, (size_t)n);
	assert_int_equal(n, 0);
	close(fd);
}

/* A message in memory, lent in small pieces; may break in the middle. */
struct source {
	struct str stored;
	size_t step;
	uint64_t fails_at; /* 0 = does not */
};

static int read_source(void *ctx, uint64_t offset, char *to, size_t n, size_t *got,
		       struct err *e)
{
	const struct source *s = ctx;
	size_t left = s->stored.n - offset;

	if (s->fails_at != 0 && offset >= s->fails_at)
		return err_set(e, ERR_TEMP, "4.3.0", "broken");
	*got = n < s->step ? n : s->step;
	*got = *got < left ? *got : left;
	memcpy(to, s->stored.p + offset, *got);
	return 0;
}

static int run(const char *sender, const char *const *rcpt, size_t n, struct source *src,
	       uint32_t timeout_ms, struct err *e)
{
	return submit_run(&(struct submit){.program = program,
					   .sender = sender,
					   .rcpt = rcpt,
					   .n_rcpt = n,
					   .timeout_ms = timeout_ms,
					   .read = read_source,
					   .ctx = src},
			  e);
}

static const struct {
	const char *name;
	struct str stored, plain;
} messages[] = {
	/* clang-format off */
	{"empty",           STR_INIT(".\r\n"), STR_INIT("")},
	{"lines",           STR_INIT("A: b\r\n\r\nhi\r\n.\r\n"), STR_INIT("A: b\n\nhi\n")},
	{"dots",            STR_INIT("..\r\n...\r\na.\r\n..x\r\n.\r\n"), STR_INIT(".\n..\na.\n.x\n")},
	{"a dot and CR",    STR_INIT(".\rx\r\n.\r\r\n.\r\n"), STR_INIT("\rx\n\r\n")},
	{"CR and NUL stay", STR_INIT("a\rb\0\r\r\n.\r\n"), STR_INIT("a\rb\0\r\n")},
	{"empty lines",     STR_INIT("\r\n\r\n.\r\n"), STR_INIT("\n\n")},
	/* clang-format on */
};

static void the_message_arrives_unstuffed(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};

	script("cat > in");
	for (size_t i = 0; i < countof(messages); i++) {
		for (size_t step = 1; step <= messages[i].stored.n; step++) {
			struct source src = {messages[i].stored, step, 0};
			struct err e = {0};
			struct buf in;

			print_message("# %s, %zu at a time\n", messages[i].name, step);
			assert_int_equal(run("s@x", rcpt, 1, &src, 60000, &e), 0);
			written("in", &in);
			assert_true(str_eq(buf_str(&in), messages[i].plain));
			buf_fini(&in);
		}
	}
}

static void a_large_message_arrives_whole(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct buf stored, plain, in;
	struct err e = {0};

	script("cat > in");
	buf_init(&stored, 1 << 20);
	buf_init(&plain, 1 << 20);
	for (int i = 0; i < 40000; i++) {
		buf_printf(&stored, "..line %d\r\n", i);
		buf_printf(&plain, ".line %d\n", i);
	}
	buf_put(&stored, STR(".\r\n"));
	struct source src = {buf_str(&stored), 65536, 0};

	assert_int_equal(run("s@x", rcpt, 1, &src, 60000, &e), 0);
	written("in", &in);
	assert_true(str_eq(buf_str(&in), buf_str(&plain)));
	buf_fini(&in);
	buf_fini(&stored);
	buf_fini(&plain);
}

static void arguments_are_a_vector(void **state UNUSED)
{
	const char *rcpt[] = {"a@b", "-oQ/tmp@b", "$(id)@b", "\"x y;`id`\"@b"};
	struct source src = {STR(".\r\n"), 99, 0};
	struct err e = {0};
	struct buf args;

	script("printf '%s\\n' \"$@\" > args; cat > /dev/null");
	assert_int_equal(run("", rcpt, countof(rcpt), &src, 60000, &e), 0);
	written("args", &args);
	assert_string_equal(buf_cstr(&args),
			    "-i\n-f\n<>\n--\na@b\n-oQ/tmp@b\n$(id)@b\n\"x y;`id`\"@b\n");
	buf_fini(&args);
	assert_int_equal(run("-Cevil", rcpt, 1, &src, 60000, &e), 0);
	written("args", &args);
	assert_string_equal(buf_cstr(&args), "-i\n-f\n-Cevil\n--\na@b\n");
	buf_fini(&args);
}

static void notify_and_ret_are_options(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct submit s = {.program = program,
			   .sender = "s@x",
			   .rcpt = rcpt,
			   .n_rcpt = 1,
			   .timeout_ms = 60000,
			   .notify = "success,failure",
			   .ret = "hdrs",
			   .read = read_source};
	static const char *const bad[] = {"-Cevil", "never evil", "x\n", "1"};
	struct err e = {0};
	struct buf args;

	script("printf '%s\n' \"$@\" > args; cat > /dev/null");
	s.ctx = &(struct source){STR(".\r\n"), 99, 0};
	assert_int_equal(submit_run(&s, &e), 0);
	written("args", &args);
	assert_string_equal(buf_cstr(&args),
			    "-i\n-f\ns@x\n-N\nsuccess,failure\n-R\nhdrs\n--\na@b\n");
	buf_fini(&args);
	for (size_t i = 0; i < countof(bad); i++) {
		s.notify = bad[i];
		s.ret = NULL;
		assert_int_equal(submit_run(&s, &e), -1);
		assert_int_equal(e.class, ERR_PERM);
		s.notify = "";
		s.ret = bad[i];
		assert_int_equal(submit_run(&s, &e), -1);
	}
}

static void the_environment_is_clean(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct source src = {STR(".\r\n"), 99, 0};
	struct err e = {0};
	struct buf out;
	int leak = open("/dev/null", O_RDONLY); /* without close-on-exec */

	assert_true(leak > 2);
	setenv("SECRET", "value", 1);
	script("env > env; ls /proc/self/fd | wc -w > fds; trap > traps; cat > /dev/null");
	assert_int_equal(run("s@x", rcpt, 1, &src, 60000, &e), 0);
	written("env", &out);
	assert_null(strstr(buf_cstr(&out), "SECRET"));
	assert_non_null(strstr(buf_cstr(&out), "PATH=/"));
	buf_fini(&out);
	written("fds", &out); /* 0, 1, 2, and the one that ls has open */
	assert_string_equal(buf_cstr(&out), "4\n");
	buf_fini(&out);
	close(leak);
}

static void control_octets_start_nothing(void **state UNUSED)
{
	static const char *const bad[] = {"", "a\nb@c", "a\r@c", "\x1b[m@c", "a@c\x7f"};
	struct source src = {STR(".\r\n"), 99, 0};
	char path[64];

	script("touch started; cat > /dev/null");
	path_of(path, sizeof path, "started");
	for (size_t i = 0; i < countof(bad); i++) {
		const char *rcpt[] = {"a@b", bad[i]};
		struct err e = {0};

		assert_int_equal(run("s@x", rcpt, 2, &src, 60000, &e), -1);
		assert_int_equal(e.class, ERR_PERM);
		assert_string_equal(e.dsn, "5.1.3");
		if (i == 0)
			continue;
		assert_int_equal(run(bad[i], rcpt, 1, &src, 60000, &e), -1);
		assert_string_equal(e.dsn, "5.1.7");
	}
	assert_int_equal(access(path, F_OK), -1); /* lint: ok */
}

static const struct {
	int status;
	enum err_class class;
	const char *dsn;
} statuses[] = {
	{EX_USAGE, ERR_TEMP, "4.3.0"},
	{EX_DATAERR, ERR_PERM, "5.6.0"},
	{EX_NOUSER, ERR_PERM, "5.1.1"},
	{EX_NOHOST, ERR_PERM, "5.1.2"},
	{EX_UNAVAILABLE, ERR_TEMP, "4.3.0"},
	{EX_OSERR, ERR_TEMP, "4.3.0"},
	{EX_TEMPFAIL, ERR_TEMP, "4.3.0"},
	{EX_NOPERM, ERR_PERM, "5.7.1"},
	{EX_CONFIG, ERR_TEMP, "4.3.5"},
	{1, ERR_TEMP, "4.3.0"},
	{255, ERR_TEMP, "4.3.0"},
};

static void the_exit_status_is_the_answer(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct source src = {STR(".\r\n"), 99, 0};

	for (size_t i = 0; i < countof(statuses); i++) {
		struct err e = {0};
		char body[64];

		snprintf(body, sizeof body, "echo 'not today'; echo more; exit %d",
			 statuses[i].status);
		script(body);
		assert_int_equal(run("s@x", rcpt, 1, &src, 60000, &e), -1);
		assert_int_equal(e.class, statuses[i].class);
		assert_string_equal(e.dsn, statuses[i].dsn);
		assert_non_null(strstr(e.text, "not today"));
		assert_null(strstr(e.text, "more"));
	}
}

static void a_killed_program_is_a_temporary_error(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct source src = {STR(".\r\n"), 99, 0};
	struct err e = {0};

	script("kill -9 $$");
	assert_int_equal(run("s@x", rcpt, 1, &src, 60000, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "signal 9"));
}

static void a_program_that_hangs_is_killed(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct source src = {STR(".\r\n"), 99, 0};
	struct err e = {0};

	script("trap '' TERM; sleep 1000 & wait");
	assert_int_equal(run("s@x", rcpt, 1, &src, 50, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.dsn, "4.4.5");
	assert_int_equal(run("s@x", rcpt, 1, &src, 0, &e), -1);
	assert_string_equal(e.dsn, "4.4.5");
	assert_non_null(strstr(e.text, "no time left"));
}

static void a_missing_program_is_a_temporary_error(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct source src = {STR(".\r\n"), 99, 0};
	struct err e = {0};

	script("exit 0");
	unlink(program);
	assert_int_equal(run("s@x", rcpt, 1, &src, 60000, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
}

/* Half a message is never handed over: the program is not even started. */
static void a_message_that_cannot_be_read_starts_nothing(void **state UNUSED)
{
	const char *rcpt[] = {"a@b"};
	struct source broken = {STR("a\r\nb\r\n.\r\n"), 2, 4};
	struct source endless = {STR("a\r\nb\r\n"), 99, 0};
	struct err e = {0};
	char path[64];

	script("touch started; cat > /dev/null");
	path_of(path, sizeof path, "started");
	assert_int_equal(run("s@x", rcpt, 1, &broken, 60000, &e), -1);
	assert_string_equal(e.text, "broken");
	assert_int_equal(run("s@x", rcpt, 1, &endless, 60000, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(access(path, F_OK), -1); /* lint: ok */
}

static int make_dir(void **state UNUSED)
{
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state UNUSED)
{
	static const char *const names[] = {"sendmail", "in",  "args",
					    "env",      "fds", "traps"};
	char path[64];

	for (size_t i = 0; i < countof(names); i++) {
		path_of(path, sizeof path, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_message_arrives_unstuffed),
		cmocka_unit_test(a_large_message_arrives_whole),
		cmocka_unit_test(arguments_are_a_vector),
		cmocka_unit_test(notify_and_ret_are_options),
		cmocka_unit_test(the_environment_is_clean),
		cmocka_unit_test(control_octets_start_nothing),
		cmocka_unit_test(the_exit_status_is_the_answer),
		cmocka_unit_test(a_killed_program_is_a_temporary_error),
		cmocka_unit_test(a_program_that_hangs_is_killed),
		cmocka_unit_test(a_missing_program_is_a_temporary_error),
		cmocka_unit_test(a_message_that_cannot_be_read_starts_nothing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
