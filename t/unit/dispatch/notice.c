/* SPDX-License-Identifier: ISC */
#include "dispatch/notice.h"

#include "lib/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void ready_is_a_line_of_its_own(void **state UNUSED)
{
	static const struct {
		struct str text;
		bool ready;
	} cases[] = {
		/* clang-format off */
		{STR_INIT("READY=1"),                    true},
		{STR_INIT("READY=1\n"),                  true},
		{STR_INIT("STATUS=up\nREADY=1"),         true},
		{STR_INIT("READY=1\nMAINPID=7\n"),       true},
		{STR_INIT(""),                           false},
		{STR_INIT("\n\n"),                       false},
		{STR_INIT("READY=0"),                    false},
		{STR_INIT("READY=11"),                   false},
		{STR_INIT("STATUS=not READY=1"),         false},
		{STR_INIT("XREADY=1"),                   false},
		{STR_INIT("READY=1\0"),                  false},
		{STR_INIT("STOPPING=1"),                 false},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(cases); i++) {
		print_message("%s\n", cases[i].text.p);
		assert_int_equal(notice_is_ready(cases[i].text), cases[i].ready);
	}
}

static void the_kernel_says_who_it_was(void **state UNUSED)
{
	char name[NOTICE_NAME_MAX];
	struct err e;
	int fd, status;
	struct notice n;
	pid_t child;

	assert_int_equal(notice_open(name, &fd, &e), 0);
	assert_int_equal(name[0], '@');
	assert_false(notice_receive(fd, &n));
	setenv("NOTIFY_SOCKET", name, 1);
	child = fork();
	if (child == 0) {
		server_notify_hold();
		server_notify("READY=1\nSTATUS=a b\nMAINPID=1");
		server_notify("STOPPING=1");
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_true(notice_receive(fd, &n));
	assert_int_equal(n.from, child);
	assert_true(n.ready);
	assert_true(str_eq(n.status, STR("a b")));
	assert_true(notice_receive(fd, &n));
	assert_false(n.ready);
	assert_int_equal(n.status.n, 0);
	assert_false(notice_receive(fd, &n));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_is_a_line_of_its_own),
		cmocka_unit_test(the_kernel_says_who_it_was),
	};

	return cmocka_run_group_tests_name("dispatch/notice", tests, NULL, NULL);
}
