/* SPDX-License-Identifier: ISC */
#include "lib/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* in_child - runs `f` in a process of its own: how it ended, and its standard error */
static int in_child(void (*f)(void), char *said, size_t size)
{
	int fds[2], status;

	assert_int_equal(pipe(fds), 0);

	pid_t pid = fork();

	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL); /* not cmocka's handler */
		f();
		_exit(0);
	}
	close(fds[1]);

	size_t at = 0;
	ssize_t n;

	while ((n = read(fds[0], said + at, size - 1 - at)) > 0)
		at += (size_t)n;
	said[at] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void keep(void)
{
	must(1 + 1 == 2);
}

static void break_it(void)
{
	must(1 + 1 == 3);
}

static void a_kept_promise_says_nothing(void **state UNUSED)
{
	char said[1024];

	assert_int_equal(in_child(keep, said, sizeof said), 0);
	assert_string_equal(said, "");
}

static void a_broken_promise_says_where_and_aborts(void **state UNUSED)
{
	char said[1024];
	int status = in_child(break_it, said, sizeof said);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(said,
			       "event=broken.promise level=error promise=\"1 + 1 == 3\" "
			       "at=t/unit/lib/base.c:"));
	assert_non_null(strstr(said, " func=break_it\n"));
}

static void memory_is_zeroed(void **state UNUSED)
{
	static const char zero[100];
	char *p = xalloc(10);

	assert_memory_equal(p, zero, 10);
	memset(p, 'x', 10);
	p = xgrow(p, 10, 100);
	assert_memory_equal(p, "xxxxxxxxxx", 10);
	assert_memory_equal(p + 10, zero, 90);
	xfree(&p);
	assert_null(p);
	xfree(&p);
}

static void nothing_is_memory_too(void **state UNUSED)
{
	char *p = xalloc(0);

	assert_non_null(p);
	p = xgrow(p, 0, 0);
	assert_non_null(p);
	xfree(&p);
	p = xgrow(NULL, 0, 8);
	assert_int_equal(p[7], 0);
	xfree(&p);
}

static void a_copy_is_a_copy(void **state UNUSED)
{
	char text[] = "alice";
	char *copy = xstrdup(text);

	text[0] = 'A';
	assert_string_equal(copy, "alice");
	xfree(&copy);
	copy = xstrdup("");
	assert_string_equal(copy, "");
	xfree(&copy);
}

static void a_child_has_an_id_of_its_own(void **state UNUSED)
{
	int status;
	pid_t child;

	assert_int_equal(process_id(), getpid());
	child = fork();
	if (child == 0)
		_exit(process_id() == (int)getpid() ? 0 : 1);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kept_promise_says_nothing),
		cmocka_unit_test(a_broken_promise_says_where_and_aborts),
		cmocka_unit_test(memory_is_zeroed),
		cmocka_unit_test(nothing_is_memory_too),
		cmocka_unit_test(a_copy_is_a_copy),
		cmocka_unit_test(a_child_has_an_id_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
