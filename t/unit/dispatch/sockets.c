/* SPDX-License-Identifier: ISC */
#include "dispatch/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/popstore-unit-XXXXXX";
static char a[40], b[40], c[40], bad[] = "nowhere";

static int make_dir(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(a, sizeof a, "%s/a", dir);
	snprintf(b, sizeof b, "%s/b", dir);
	snprintf(c, sizeof c, "%s/c", dir);
	return 0;
}

static int remove_dir(void **state UNUSED)
{
	unlink(a);
	unlink(b);
	unlink(c);
	return rmdir(dir);
}

static const struct service *find(const char *name)
{
	for (size_t i = 0; i < countof(services); i++)
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	fail_msg("no service %s", name);
	return NULL;
}

static int fd_of(const struct sockets *s, const char *service, const char *address)
{
	const struct listening *l[SOCKETS_OF_SERVICE];
	size_t n = sockets_of(s, find(service), l);

	for (size_t i = 0; i < n; i++)
		if (l[i]->address != NULL && strcmp(l[i]->address, address) == 0)
			return l[i]->fd;
	return -1;
}

static void what_stays_is_not_bound_again(void **state UNUSED)
{
	char *one[] = {a, b}, *two[] = {b, c};
	struct settings set = {.lmtp.listen = {one, 2}};
	struct sockets s;
	struct err e;

	sockets_init(&s);
	assert_int_equal(sockets_configure(&s, &set, &e), 0);

	int fd_a = fd_of(&s, "lmtp", a), fd_b = fd_of(&s, "lmtp", b);

	set.lmtp.listen.v = two;
	assert_int_equal(sockets_configure(&s, &set, &e), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(fd_of(&s, "lmtp", a), -1);
	assert_int_equal(fd_of(&s, "lmtp", b), fd_b);
	assert_true(fd_of(&s, "lmtp", c) >= 0);
	if (fd_of(&s, "lmtp", c) != fd_a) {
		assert_int_equal(fcntl(fd_a, F_GETFD), -1);
		assert_int_equal(errno, EBADF);
	}
	sockets_fini(&s);
	assert_int_equal(fcntl(fd_b, F_GETFD), -1);
}

static void a_bad_address_changes_nothing(void **state UNUSED)
{
	char *good[] = {a}, *wrong[] = {b, bad};
	struct settings set = {.lmtp.listen = {good, 1}};
	struct sockets s;
	struct err e;

	sockets_init(&s);
	assert_int_equal(sockets_configure(&s, &set, &e), 0);

	int fd_a = fd_of(&s, "lmtp", a);

	set.lmtp.listen = (struct conf_list){wrong, 2};
	assert_int_equal(sockets_configure(&s, &set, &e), -1);
	assert_non_null(strstr(e.text, "lmtp: "));
	assert_non_null(strstr(e.text, "nowhere"));
	assert_int_equal(s.n, 1);
	assert_int_equal(fd_of(&s, "lmtp", a), fd_a);
	assert_int_equal(fcntl(fd_a, F_GETFD), FD_CLOEXEC);
	sockets_fini(&s);
}

static void sections_of_a_service_go_together(void **state UNUSED)
{
	char *one[] = {a}, *two[] = {b}, *three[] = {c};
	struct settings set = {.policy.listen = {one, 1},
			       .socketmap.listen = {two, 1},
			       .pop3.listen = {three, 1}};
	const struct listening *l[SOCKETS_OF_SERVICE];
	struct sockets s;
	struct err e;

	sockets_init(&s);
	assert_int_equal(sockets_configure(&s, &set, &e), 0);
	assert_int_equal(sockets_of(&s, find("policy"), l), 2);
	assert_string_equal(l[0]->section, "policy");
	assert_string_equal(l[1]->section, "socketmap");
	assert_int_equal(sockets_of(&s, find("pop3-login"), l), 1);
	assert_int_equal(sockets_of(&s, find("lmtp"), l), 0);
	sockets_fini(&s);
}

static void the_milter_binds_itself(void **state UNUSED)
{
	char *one[] = {bad};
	struct settings set = {.milter.listen = {one, 1}};
	struct sockets s;
	struct err e;

	sockets_init(&s);
	assert_int_equal(sockets_configure(&s, &set, &e), 0);
	assert_int_equal(s.n, 0);
	sockets_fini(&s);
}

static void systemds_sockets_are_used_instead(void **state UNUSED)
{
	char *one[] = {a}, *two[] = {b};
	struct settings set = {.lmtp.listen = {one, 1}, .pop3.listen = {two, 1}};
	const struct listening *l[SOCKETS_OF_SERVICE];
	char pid[16];
	struct sockets s;
	struct err e;

	assert_int_equal(dup2(0, 3), 3);
	assert_int_equal(dup2(0, 4), 4);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "lmtp:lmtp", 1);
	sockets_init(&s);
	assert_null(getenv("LISTEN_FDS"));
	for (int i = 0; i < 2; i++) { /* and a reload leaves them alone */
		assert_int_equal(sockets_configure(&s, &set, &e), 0);
		assert_int_equal(s.n, 3);
		assert_int_equal(sockets_of(&s, find("lmtp"), l), 2);
		assert_int_equal(l[0]->fd, 3);
		assert_null(l[0]->address);
	}
	sockets_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stays_is_not_bound_again),
		cmocka_unit_test(a_bad_address_changes_nothing),
		cmocka_unit_test(sections_of_a_service_go_together),
		cmocka_unit_test(the_milter_binds_itself),
		cmocka_unit_test(systemds_sockets_are_used_instead),
	};

	return cmocka_run_group_tests_name("dispatch/sockets", tests, make_dir,
					   remove_dir);
}
