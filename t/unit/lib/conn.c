/* SPDX-License-Identifier: ISC */
#include "lib/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Far above what any test waits for on purpose. */
enum { LONG_MS = 60000 };

struct pair {
	struct conn c;
	int peer;
};

static void pair_open(struct pair *p, uint32_t idle_ms)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_open(&p->c, fd[0], idle_ms);
	p->peer = fd[1];
}

static void pair_close(struct pair *p)
{
	conn_close(&p->c);
	if (p->peer >= 0)
		close(p->peer);
}

static void say(struct pair *p, const char *text)
{
	assert_int_equal(write(p->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void input_is(struct conn *c, const char *want)
{
	struct err e = {0};
	struct str in;

	assert_int_equal(conn_input(c, &in, &e), 0);
	assert_int_equal(in.n, strlen(want));
	assert_memory_equal(in.p, want, in.n);
}

static void input_fails(struct conn *c, const char *why, int sys)
{
	struct err e = {0};
	struct str in;

	assert_int_equal(conn_input(c, &in, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_string_equal(e.text, why);
	assert_int_equal(e.sys, sys);
}

static void input_stays_until_consumed(void **state UNUSED)
{
	struct pair p;

	pair_open(&p, LONG_MS);
	assert_false(conn_has_input(&p.c));
	say(&p, "one two");
	input_is(&p.c, "one two");
	conn_consume(&p.c, 4);
	assert_true(conn_has_input(&p.c));
	input_is(&p.c, "two");
	conn_consume(&p.c, 3);
	assert_false(conn_has_input(&p.c));
	say(&p, "three");
	input_is(&p.c, "three");
	pair_close(&p);
}

static void what_is_here_can_be_had_without_waiting(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};
	struct str in;

	pair_open(&p, LONG_MS);
	assert_int_equal(conn_input_now(&p.c, &in, &e), 0);
	assert_int_equal(in.n, 0);
	say(&p, "one");
	assert_int_equal(conn_input_now(&p.c, &in, &e), 0);
	assert_true(str_eq(in, STR("one")));
	conn_consume(&p.c, 1);
	assert_int_equal(conn_input_now(&p.c, &in, &e), 0);
	assert_true(str_eq(in, STR("ne")));
	conn_consume(&p.c, 2);
	close(p.peer);
	p.peer = -1;
	assert_int_equal(conn_input_now(&p.c, &in, &e), -1);
	assert_string_equal(e.text, "connection closed");
	pair_close(&p);
}

static void what_another_has_read_comes_first(void **state UNUSED)
{
	struct pair p;

	pair_open(&p, LONG_MS);
	say(&p, "later");
	conn_unread(&p.c, STR("STAT\r\n"));
	assert_true(conn_has_input(&p.c));
	input_is(&p.c, "STAT\r\n");
	conn_consume(&p.c, 6);
	input_is(&p.c, "later");
	pair_close(&p);
}

static void the_peer_is_whom_another_says(void **state UNUSED)
{
	static const char much[80] = "0123456789012345678901234567890123456789"
				     "012345678901234567890123456789012345678";
	struct pair p;

	pair_open(&p, LONG_MS);
	assert_true(p.c.loopback);
	conn_introduce(&p.c, STR("192.0.2.7:1234"), STR("17-3"), false);
	assert_string_equal(p.c.peer, "192.0.2.7:1234");
	assert_string_equal(p.c.sid, "17-3");
	assert_false(p.c.loopback);
	conn_introduce(&p.c, STR(""), STR(""), true);
	assert_string_equal(p.c.peer, "192.0.2.7:1234");
	assert_string_equal(p.c.sid, "17-3");
	assert_true(p.c.loopback);
	conn_introduce(&p.c, str_of(much), str_of(much), true);
	assert_int_equal(strlen(p.c.peer), sizeof p.c.peer - 1);
	assert_int_equal(strlen(p.c.sid), sizeof p.c.sid - 1);
	pair_close(&p);
}

static void a_consumed_secret_is_gone(void **state UNUSED)
{
	static const char gone[6];
	struct pair p;

	pair_open(&p, LONG_MS);
	say(&p, "USER sesame next");
	input_is(&p.c, "USER sesame next");
	conn_consume(&p.c, 5);
	conn_consume_secret(&p.c, 6);
	assert_memory_equal(p.c.in, "USER ", 5);
	assert_memory_equal(p.c.in + 5, gone, 6);
	input_is(&p.c, " next");
	pair_close(&p);
}

static void hang_up_is_told_from_silence(void **state UNUSED)
{
	struct pair p;

	pair_open(&p, 20);
	input_fails(&p.c, "timeout", ETIMEDOUT);
	close(p.peer);
	p.peer = -1;
	input_fails(&p.c, "connection closed", 0);
	pair_close(&p);
}

static void deadline_is_nearer_than_silence(void **state UNUSED)
{
	struct pair p;
	uint64_t start = clock_ms();

	pair_open(&p, LONG_MS);
	conn_deadline(&p.c, 30);
	input_fails(&p.c, "timeout", ETIMEDOUT);
	assert_in_range(clock_ms() - start, 26, LONG_MS / 2);
	input_fails(&p.c, "timeout", ETIMEDOUT); /* without waiting again */
	conn_deadline(&p.c, 0);
	say(&p, "late");
	input_is(&p.c, "late");
	pair_close(&p);
}

static void longer_deadline_lengthens_the_wait(void **state UNUSED)
{
	struct pair p;

	pair_open(&p, LONG_MS);
	conn_deadline(&p.c, 10);
	input_fails(&p.c, "timeout", ETIMEDOUT);

	uint64_t start = clock_ms();

	conn_deadline(&p.c, 100);
	input_fails(&p.c, "timeout", ETIMEDOUT);
	assert_in_range(clock_ms() - start, 87, LONG_MS / 2);
	pair_close(&p);
}

static void *drip(void *arg)
{
	int fd = *(int *)arg;
	struct timespec pause = {.tv_nsec = 5000000};

	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		nanosleep(&pause, NULL);
	return NULL;
}

static void dripping_gains_nothing(void **state UNUSED)
{
	struct pair p;
	pthread_t thread;
	struct err e = {0};
	struct str in;

	pair_open(&p, LONG_MS);
	assert_int_equal(pthread_create(&thread, NULL, drip, &p.peer), 0);
	conn_deadline(&p.c, 60);
	while (conn_input(&p.c, &in, &e) == 0)
		conn_consume(&p.c, in.n);
	assert_string_equal(e.text, "timeout");
	conn_close(&p.c);
	pthread_join(thread, NULL);
	pair_close(&p);
}

static void peer_that_does_not_read_is_given_up(void **state UNUSED)
{
	static char much[1 << 20];
	struct pair p;
	struct err e = {0};

	pair_open(&p, 20);
	assert_int_equal(conn_write(&p.c, (struct str){much, sizeof much}, false, &e),
			 -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_int_equal(e.sys, ETIMEDOUT);
	pair_close(&p);
}

static void write_to_the_dead_is_an_error_not_a_signal(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};

	pair_open(&p, LONG_MS);
	close(p.peer);
	p.peer = -1;
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	assert_int_equal(conn_write(&p.c, STR("x"), false, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_int_equal(e.sys, EPIPE);
	pair_close(&p);
}

static int file_with(const char *text)
{
	int fd = memfd_create("conn", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void pieces_and_files_arrive_in_order(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};
	char got[64];
	int fd = file_with("0123456789");

	pair_open(&p, LONG_MS);
	assert_int_equal(conn_write(&p.c, STR("+OK\r\n"), true, &e), 0);
	assert_int_equal(conn_sendfile(&p.c, fd, 2, 5, &e), 0);
	assert_int_equal(recv(p.peer, got, 10, MSG_WAITALL), 10);
	assert_memory_equal(got, "+OK\r\n23456", 10);
	close(fd);
	pair_close(&p);
}

static void short_file_is_our_fault_not_the_peers(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};
	int fd = file_with("0123456789");

	pair_open(&p, LONG_MS);
	assert_int_equal(conn_sendfile(&p.c, fd, 8, 5, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.text, "file is 3 octets shorter than promised");
	close(fd);
	pair_close(&p);
}

/* ---- interrupting -------------------------------------------------------------- */

static void *interrupt_it(void *arg)
{
	conn_interrupt(arg);
	return NULL;
}

static void interrupt_ends_a_pending_read(void **state UNUSED)
{
	struct pair p;
	pthread_t thread;

	pair_open(&p, LONG_MS);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_it, &p.c), 0);
	input_fails(&p.c, "interrupted", 0);
	pthread_join(thread, NULL);
	input_fails(&p.c, "interrupted", 0);
	pair_close(&p);
}

static void interrupted_conn_can_still_say_goodbye(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};
	char got[8];

	pair_open(&p, LONG_MS);
	conn_interrupt(&p.c);
	assert_int_equal(conn_write(&p.c, STR("bye"), false, &e), 0);
	assert_int_equal(recv(p.peer, got, 3, MSG_WAITALL), 3);
	pair_close(&p);
}

static void busy_conn_finishes_first(void **state UNUSED)
{
	struct pair p;

	pair_open(&p, LONG_MS);
	conn_busy(&p.c, true);
	conn_interrupt(&p.c);
	say(&p, "the message");
	input_is(&p.c, "the message");
	conn_consume(&p.c, 11);
	conn_busy(&p.c, false);
	say(&p, "the next command");
	input_fails(&p.c, "interrupted", 0);
	pair_close(&p);
}

static void cut_ends_a_busy_conn(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};

	pair_open(&p, LONG_MS);
	conn_busy(&p.c, true);
	conn_cut(&p.c);
	input_fails(&p.c, "interrupted", 0);
	assert_int_equal(conn_write(&p.c, STR("x"), false, &e), -1);
	pair_close(&p);
}

/* ---- who is there ---------------------------------------------------------------- */

/* Connects to itself over `family` and leaves the accepted end in c. */
static int tcp_pair(struct conn *c, int family, const char *listen_at, const char *to)
{
	struct sockaddr_storage a = {.ss_family = (sa_family_t)family}, b = a;
	struct sockaddr_in *a4 = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)&a;
	socklen_t n = family == AF_INET ? sizeof *a4 : sizeof *a6;
	int l = socket(family, SOCK_STREAM, 0), one, two;

	if (l < 0)
		return -1;
	inet_pton(family, listen_at,
		  family == AF_INET ? (void *)&a4->sin_addr : (void *)&a6->sin6_addr);
	if (bind(l, (struct sockaddr *)&a, n) < 0 || listen(l, 1) < 0) {
		close(l);
		return -1;
	}
	getsockname(l, (struct sockaddr *)&b, &n);

	in_port_t port = family == AF_INET ? ((struct sockaddr_in *)&b)->sin_port
					   : ((struct sockaddr_in6 *)&b)->sin6_port;
	bool v6 = strchr(to, ':') != NULL;

	memset(&a, 0, sizeof a);
	a.ss_family = v6 ? AF_INET6 : AF_INET;
	inet_pton(a.ss_family, to, v6 ? (void *)&a6->sin6_addr : (void *)&a4->sin_addr);
	if (v6)
		a6->sin6_port = port;
	else
		a4->sin_port = port;
	one = socket(a.ss_family, SOCK_STREAM, 0);
	assert_int_equal(
		connect(one, (struct sockaddr *)&a, v6 ? sizeof *a6 : sizeof *a4), 0);
	two = accept(l, NULL, NULL);
	close(l);
	conn_open(c, two, LONG_MS);
	return one;
}

static void peers_are_named(void **state UNUSED)
{
	static const struct {
		int family;
		const char *listen_at, *to, *prefix;
	} cases[] = {
		{AF_INET, "127.0.0.1", "127.0.0.1", "127.0.0.1:"},
		{AF_INET6, "::1", "::1", "[::1]:"},
		{AF_INET6, "::", "127.0.0.1", "127.0.0.1:"}, /* v4-mapped */
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct conn c;
		int peer = tcp_pair(&c, cases[i].family, cases[i].listen_at, cases[i].to);

		if (peer < 0) {
			print_message("no %s here\n", cases[i].listen_at);
			assert_int_equal(cases[i].family, AF_INET6);
			continue;
		}
		assert_int_equal(
			strncmp(c.peer, cases[i].prefix, strlen(cases[i].prefix)), 0);
		assert_true(c.loopback);
		conn_close(&c);
		close(peer);
	}
}

static void unix_peers_and_session_ids(void **state UNUSED)
{
	struct pair p, q;
	char want[32];

	pair_open(&p, LONG_MS);
	pair_open(&q, LONG_MS);
	snprintf(want, sizeof want, "unix:%u", (unsigned)getuid());
	assert_string_equal(p.c.peer, want);
	assert_true(p.c.loopback);
	assert_string_not_equal(p.c.sid, q.c.sid);
	pair_close(&p);
	pair_close(&q);
}

static void an_address_has_no_port(void **state UNUSED)
{
	static const struct {
		const char *peer, *address;
	} rows[] = {
		{"192.0.2.7:1234", "192.0.2.7"},
		{"[2001:db8::1]:1234", "2001:db8::1"},
		{"unix:1000", "unix"},
		{"gone", "gone"},
		{"[", "["},
		{"", ""},
	};
	struct conn c = {0};
	char address[CONN_PEER];

	for (size_t i = 0; i < countof(rows); i++) {
		snprintf(c.peer, sizeof c.peer, "%s", rows[i].peer);
		conn_address(&c, address);
		assert_string_equal(address, rows[i].address);
	}
}

/* ---- holding back ---------------------------------------------------------------- */

static void who_hangs_up_is_held_all_the_same(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};
	uint64_t begun = clock_ms();

	pair_open(&p, LONG_MS);
	say(&p, "the next command");
	close(p.peer);
	p.peer = -1;
	assert_int_equal(conn_hold(&p.c, 50, &e), 0);
	assert_true(clock_ms() >= begun + 50);
	pair_close(&p);
}

static void a_hold_ends_with_the_deadline_and_without_an_answer(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};

	pair_open(&p, LONG_MS);
	conn_deadline(&p.c, 50);
	assert_int_equal(conn_hold(&p.c, LONG_MS, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_int_equal(e.sys, ETIMEDOUT);
	pair_close(&p);
}

/* Of one that is busy, too, and whose peer is gone. */
static void an_interruption_ends_a_hold(void **state UNUSED)
{
	struct pair p;
	struct err e = {0};
	pthread_t thread;
	uint64_t begun = clock_ms();

	pair_open(&p, LONG_MS);
	close(p.peer);
	p.peer = -1;
	conn_busy(&p.c, true);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_it, &p.c), 0);
	assert_int_equal(conn_hold(&p.c, LONG_MS, &e), 0);
	assert_true(clock_ms() - begun < LONG_MS / 2);
	pthread_join(thread, NULL);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_stays_until_consumed),
		cmocka_unit_test(what_is_here_can_be_had_without_waiting),
		cmocka_unit_test(what_another_has_read_comes_first),
		cmocka_unit_test(the_peer_is_whom_another_says),
		cmocka_unit_test(a_consumed_secret_is_gone),
		cmocka_unit_test(hang_up_is_told_from_silence),
		cmocka_unit_test(deadline_is_nearer_than_silence),
		cmocka_unit_test(longer_deadline_lengthens_the_wait),
		cmocka_unit_test(dripping_gains_nothing),
		cmocka_unit_test(peer_that_does_not_read_is_given_up),
		cmocka_unit_test(write_to_the_dead_is_an_error_not_a_signal),
		cmocka_unit_test(pieces_and_files_arrive_in_order),
		cmocka_unit_test(short_file_is_our_fault_not_the_peers),
		cmocka_unit_test(interrupt_ends_a_pending_read),
		cmocka_unit_test(interrupted_conn_can_still_say_goodbye),
		cmocka_unit_test(busy_conn_finishes_first),
		cmocka_unit_test(cut_ends_a_busy_conn),
		cmocka_unit_test(peers_are_named),
		cmocka_unit_test(unix_peers_and_session_ids),
		cmocka_unit_test(an_address_has_no_port),
		cmocka_unit_test(who_hangs_up_is_held_all_the_same),
		cmocka_unit_test(a_hold_ends_with_the_deadline_and_without_an_answer),
		cmocka_unit_test(an_interruption_ends_a_hold),
	};

	return cmocka_run_group_tests_name("lib/conn", tests, NULL, NULL);
}
