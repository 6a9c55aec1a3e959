/* SPDX-License-Identifier: ISC */
/* Each mechanism in a child of its own: there is no way back. */
#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77 };

/* run - `what` in a child: true there is success; its status */
static int run(int (*what)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(what());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void expect(int (*what)(void))
{
	int status = run(what);

	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The line of the first that does not hold, as exit status. */
#define HOLDS(x)                                  \
	do {                                      \
		if (!(x))                         \
			return __LINE__ % 70 + 1; \
	} while (0)

static int become(void)
{
	struct err e;

	if (geteuid() != 0)
		return SKIPPED;
	HOLDS(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
	HOLDS(sandbox_become(65534, 65534, NULL, &e) == 0);
	HOLDS(getuid() == 65534 && getegid() == 65534 && getgroups(0, NULL) == 0);
	HOLDS(setuid(0) < 0 && setgid(0) < 0);

	int death = 0;

	HOLDS(prctl(PR_GET_PDEATHSIG, &death) == 0 && death == SIGTERM);
	return 0;
}

static int bound(void)
{
	struct err e;

	if (geteuid() != 0)
		return SKIPPED;
	HOLDS(sandbox_bound(SANDBOX_CAPABILITY(0), &e) == 0);
	HOLDS(prctl(PR_CAPBSET_READ, 0) == 1);
	for (int c = 1; prctl(PR_CAPBSET_READ, c) >= 0 && c < 64; c++)
		HOLDS(prctl(PR_CAPBSET_READ, c) == 0);
	return 0;
}

static int keep(void)
{
	struct err e;

	HOLDS(sandbox_keep(0, &e) == 0);
	HOLDS(setgroups(0, NULL) < 0 && errno == EPERM);
	HOLDS(sandbox_bound(0, &e) == 0); /* nothing to be done any more */
	return 0;
}

static int hide(void)
{
	struct rlimit l;
	struct err e;

	HOLDS(sandbox_hide(&e) == 0);
	HOLDS(prctl(PR_GET_DUMPABLE) == 0);
	HOLDS(getrlimit(RLIMIT_CORE, &l) == 0 && l.rlim_cur == 0 && l.rlim_max == 0);
	return 0;
}

static int paths(void)
{
	static const struct sandbox_grant granted[] = {
		{"/etc", SANDBOX_READ}, {"/nowhere/at/all", SANDBOX_WRITE}};
	struct sandbox_paths p = {granted, countof(granted), false};
	unsigned abi;
	struct err e;

	HOLDS(sandbox_seal(&e) == 0);
	HOLDS(sandbox_paths(&p, &abi, &e) == 0);
	if (abi == 0)
		return SKIPPED;
	HOLDS(open("/etc/passwd", O_RDONLY) >= 0);
	HOLDS(open("/usr/bin/env", O_RDONLY) < 0 && errno == EACCES);
	HOLDS(open("/etc", O_TMPFILE | O_RDWR, 0600) < 0 && errno == EACCES);
	HOLDS(open("/tmp", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
	return 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int calls(void)
{
	pthread_t thread;
	struct err e;
	int fd = open("/dev/null", O_RDWR);

	HOLDS(sandbox_seal(&e) == 0);
	if (!sandbox_has_calls())
		return SKIPPED;
	HOLDS(sandbox_calls(SANDBOX_CALLS_SERVE, &e) == 0);
	HOLDS(write(fd, "x", 1) == 1);
	HOLDS(open("/dev/null", O_RDONLY) < 0 && errno == EPERM);
	HOLDS(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
	HOLDS(fork() < 0 && errno == EPERM);
	HOLDS(kill(getppid(), 0) < 0 && errno == EPERM);
	HOLDS(pthread_create(&thread, NULL, nothing, NULL) == 0);
	HOLDS(pthread_join(thread, NULL) == 0);
	free(malloc(1 << 20));
	return 0;
}

static int execute(void)
{
	char name[] = "true";
	char *argv[] = {name, NULL};
	struct err e;

	HOLDS(sandbox_seal(&e) == 0);
	if (!sandbox_has_calls())
		return SKIPPED;
	HOLDS(sandbox_calls(SANDBOX_CALLS_SERVE, &e) == 0);
	execv("/bin/true", argv);
	return 1;
}

static void another_user_for_good(void **state UNUSED)
{
	expect(become);
}

static void the_bounding_set(void **state UNUSED)
{
	expect(bound);
}

static void no_capabilities(void **state UNUSED)
{
	expect(keep);
}

static void no_core_file(void **state UNUSED)
{
	expect(hide);
}

static void files(void **state UNUSED)
{
	expect(paths);
}

static void system_calls(void **state UNUSED)
{
	expect(calls);
}

static void another_program_is_the_end(void **state UNUSED)
{
	int status = run(execute);

	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_user_for_good),
		cmocka_unit_test(the_bounding_set),
		cmocka_unit_test(no_capabilities),
		cmocka_unit_test(no_core_file),
		cmocka_unit_test(files),
		cmocka_unit_test(system_calls),
		cmocka_unit_test(another_program_is_the_end),
	};

	return cmocka_run_group_tests_name("lib/sandbox", tests, NULL, NULL);
}
