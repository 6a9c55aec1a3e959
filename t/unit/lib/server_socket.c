/* SPDX-License-Identifier: ISC */
#include "lib/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/popstore-unit-XXXXXX";
static char path[sizeof dir + 8];

static int make_dir(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/socket", dir);
	return 0;
}

static int remove_dir(void **state UNUSED)
{
	unlink(path);
	return rmdir(dir);
}

static void what_is_no_address(void **state UNUSED)
{
	static const char *const bad[] = {
		"",
		"24",
		":24",
		"localhost:24",
		"127.0.0.1",
		"127.0.0.1:",
		"1.2.3.4:65536",
		"1.2.3.4:-1",
		"::1:24",
		"[::1:24",
		"[::1]",
		"[]:24",
		"*:smtp",
		"relative/path",
	};
	struct err e = {0};

	for (size_t i = 0; i < countof(bad); i++) {
		print_message("\"%s\"\n", bad[i]);
		assert_int_equal(server_bind(bad[i], &e), -1);
		assert_int_equal(e.class, ERR_PERM);
		assert_non_null(strstr(e.text, "is no address to listen on"));
	}
}

static void tcp_addresses(void **state UNUSED)
{
	static const struct {
		const char *address;
		int family;
	} good[] = {{"127.0.0.1:0", AF_INET}, {"[::1]:0", AF_INET6}, {"*:0", AF_INET6}};

	for (size_t i = 0; i < countof(good); i++) {
		struct sockaddr_storage a = {0};
		socklen_t n = sizeof a;
		struct err e = {0};
		int fd = server_bind(good[i].address, &e);

		if (fd < 0 && (e.sys == EADDRNOTAVAIL || e.sys == EAFNOSUPPORT)) {
			print_message("no IPv6 here\n");
			continue;
		}
		assert_true(fd >= 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
		if (good[i].address[0] != '*')
			assert_int_equal(a.ss_family, good[i].family);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		close(fd);
	}
}

static void occupied_port_says_so(void **state UNUSED)
{
	struct sockaddr_in a = {0};
	socklen_t n = sizeof a;
	struct err e = {0};
	char again[32];
	int fd = server_bind("127.0.0.1:0", &e);

	assert_true(fd >= 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	snprintf(again, sizeof again, "127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(server_bind(again, &e), -1);
	assert_int_equal(e.sys, EADDRINUSE);
	assert_non_null(strstr(e.text, again));
	assert_non_null(strstr(e.text, "Address already in use"));
	close(fd);
}

static int connect_to(const char *to)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", to);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

static void unix_socket_is_open_to_all(void **state UNUSED)
{
	struct err e = {0};
	struct stat st;
	int fd = server_bind(path, &e);
	int peer = connect_to(path);

	assert_true(fd >= 0);
	assert_true(peer >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	close(peer);
	close(fd);
}

static void stale_socket_is_replaced(void **state UNUSED)
{
	struct err e = {0};
	int fd = server_bind(path, &e); /* the last test left one behind */
	int peer = connect_to(path);

	assert_true(fd >= 0);
	assert_true(peer >= 0);
	close(peer);
	close(fd);
}

static void living_socket_is_left_alone(void **state UNUSED)
{
	struct err e = {0};
	int fd = server_bind(path, &e);

	assert_int_equal(server_bind(path, &e), -1);
	assert_int_equal(e.sys, EADDRINUSE);

	int peer = connect_to(path);

	assert_true(peer >= 0);
	close(peer);
	close(fd);
}

static void a_file_is_never_replaced(void **state UNUSED)
{
	struct err e = {0};

	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(server_bind(path, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_non_null(strstr(e.text, "is no socket"));
	assert_int_equal(unlink(path), 0);
}

static void too_long_a_path(void **state UNUSED)
{
	struct err e = {0};
	char longer[200];

	memset(longer, 'x', sizeof longer);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(server_bind(longer, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
}

/* ---- inheritance ------------------------------------------------------------------ */

static void set_env(const char *pid, const char *fds, const char *names)
{
	char self[16];

	snprintf(self, sizeof self, "%d", (int)getpid());
	setenv("LISTEN_PID", pid ? pid : self, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static void sockets_are_found_by_name(void **state UNUSED)
{
	int fds[4] = {-1, -1, -1, -1};

	/* 3 to 5 are whatever cmocka and the shell left there; make them ours. */
	for (int fd = 3; fd < 6; fd++)
		assert_true(dup2(0, fd) == fd);
	set_env(NULL, "3", "lmtp:pop3:lmtp");
	assert_int_equal(server_inherited("lmtp", fds, 4), 2);
	assert_int_equal(fds[0], 3);
	assert_int_equal(fds[1], 5);
	assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
	assert_int_equal(server_inherited("pop3", fds, 4), 1);
	assert_int_equal(fds[0], 4);
	assert_int_equal(server_inherited("pop", fds, 4), 0);
	assert_int_equal(server_inherited("lmtp", fds, 1), 2);
	for (int fd = 3; fd < 6; fd++)
		close(fd);
}

static void what_is_meant_for_others_is_not_taken(void **state UNUSED)
{
	int fds[4];

	set_env("1", "3", "lmtp:pop3:lmtp");
	assert_int_equal(server_inherited("lmtp", fds, 4), 0);
	set_env(NULL, "many", "lmtp");
	assert_int_equal(server_inherited("lmtp", fds, 4), 0);
	set_env(NULL, "0", "lmtp");
	assert_int_equal(server_inherited("lmtp", fds, 4), 0);
	set_env(NULL, "3", "");
	assert_int_equal(server_inherited("lmtp", fds, 4), 0);
	unsetenv("LISTEN_PID");
	assert_int_equal(server_inherited("lmtp", fds, 4), 0);
}

/* ---- notify ------------------------------------------------------------------------ */

static void notify_reaches(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char got[32] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	size_t n = strlen(name);

	memcpy(a.sun_path, name, n);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	server_notify("READY=1");
	assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 7);
	assert_string_equal(got, "READY=1");
	close(fd);
}

static void notify_goes_to_files_and_abstract_names(void **state UNUSED)
{
	char abstract[40];

	unlink(path);
	notify_reaches(path);
	unlink(path);
	snprintf(abstract, sizeof abstract, "@popstore-unit-%d", (int)getpid());
	notify_reaches(abstract);
	unsetenv("NOTIFY_SOCKET");
	server_notify("READY=1"); /* nobody asked: nothing happens */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_address),
		cmocka_unit_test(tcp_addresses),
		cmocka_unit_test(occupied_port_says_so),
		cmocka_unit_test(unix_socket_is_open_to_all),
		cmocka_unit_test(stale_socket_is_replaced),
		cmocka_unit_test(living_socket_is_left_alone),
		cmocka_unit_test(a_file_is_never_replaced),
		cmocka_unit_test(too_long_a_path),
		cmocka_unit_test(sockets_are_found_by_name),
		cmocka_unit_test(what_is_meant_for_others_is_not_taken),
		cmocka_unit_test(notify_goes_to_files_and_abstract_names),
	};

	return cmocka_run_group_tests_name("lib/server_socket", tests, make_dir,
					   remove_dir);
}
