/* SPDX-License-Identifier: ISC */
/* In clear text: what TLS adds is t/box/test_pop3_tls.py's. */
#include "front/relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct relayed {
	struct conn conn;
	int client, session; /* the far ends */
	int pair;
	pthread_t thread;
	struct err end;
};

/* wait_for_more - as the login process's threads do, and a little too often */
static void wait_for_more(struct relayed *r, const struct relay *relay)
{
	bool room_too;
	struct pollfd p[] = {
		{.fd = relay_pair(relay, &room_too), .events = POLLIN},
		{.fd = r->conn.fd, .events = POLLIN},
	};

	if (room_too) {
		p[0].events |= POLLOUT;
		p[1].fd = -1;
	}
	poll(p, countof(p), 10);
}

static void *run(void *arg)
{
	struct relayed *r = arg;

	struct relay *relay = relay_new(&r->conn, r->pair);

	while (relay_step(relay, &r->end))
		wait_for_more(r, relay);
	/* As the login process does: nobody is left to say or hear anything. */
	relay_free(&relay);
	conn_close(&r->conn);
	return NULL;
}

static void begin(struct relayed *r, uint32_t idle_ms)
{
	int fd[2];

	*r = (struct relayed){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_open(&r->conn, fd[0], idle_ms);
	r->client = fd[1];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	r->pair = fd[0];
	r->session = fd[1];
}

static void go(struct relayed *r)
{
	assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
}

static void over(struct relayed *r)
{
	assert_int_equal(pthread_join(r->thread, NULL), 0);
	if (r->client >= 0)
		close(r->client);
	if (r->session >= 0)
		close(r->session);
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void hear(int fd, const char *text)
{
	char got[64] = "";

	assert_in_range(strlen(text), 1, sizeof got - 1);
	assert_int_equal(recv(fd, got, strlen(text), MSG_WAITALL), (ssize_t)strlen(text));
	assert_string_equal(got, text);
}

static void hear_end(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

static void both_ways(void **state UNUSED)
{
	struct relayed r;

	begin(&r, 60000);
	go(&r);
	say(r.client, "STAT\r\n");
	hear(r.session, "STAT\r\n");
	say(r.session, "+OK 0 0\r\n");
	hear(r.client, "+OK 0 0\r\n");
	say(r.client, "QUIT\r\n");
	hear(r.session, "QUIT\r\n");
	say(r.session, "+OK goodbye\r\n");
	close(r.session);
	r.session = -1;
	hear(r.client, "+OK goodbye\r\n");
	hear_end(r.client);
	over(&r);
	assert_int_equal(r.end.class, ERR_NONE);
}

static void what_was_read_before_comes_first(void **state UNUSED)
{
	struct relayed r;

	begin(&r, 60000);
	conn_unread(&r.conn, STR("STAT\r\n"));
	say(r.client, "NOOP\r\n");
	go(&r);
	hear(r.session, "STAT\r\nNOOP\r\n");
	close(r.session);
	r.session = -1;
	over(&r);
}

/* The client has said all, and gets all that is said to it. */
static void half_of_it_may_end(void **state UNUSED)
{
	struct relayed r;

	begin(&r, 60000);
	go(&r);
	say(r.client, "QUIT\r\n");
	shutdown(r.client, SHUT_WR);
	hear(r.session, "QUIT\r\n");
	hear_end(r.session);
	say(r.session, "+OK goodbye\r\n");
	hear(r.client, "+OK goodbye\r\n");
	close(r.session);
	r.session = -1;
	hear_end(r.client);
	over(&r);
}

static void the_client_goes_away(void **state UNUSED)
{
	struct relayed r;

	begin(&r, 60000);
	go(&r);
	say(r.client, "NOOP\r\n");
	hear(r.session, "NOOP\r\n");
	close(r.client);
	r.client = -1;
	hear_end(r.session);
	assert_true(send(r.session, "x", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE);
	over(&r);
	assert_int_equal(r.end.class, ERR_PEER);
}

static void *write_much(void *arg)
{
	static char much[4 << 20];
	int fd = *(int *)arg;
	size_t left = sizeof much;

	while (left > 0) {
		ssize_t n = send(fd, much, left, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		left -= (size_t)n;
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static size_t read_all(int fd)
{
	char piece[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0)
		all += (size_t)n;
	return all;
}

/* The session does not read while it writes, and the client says more than fits the
 * socket: neither waits for the other by way of the relay. */
static void nobody_waits_for_the_other(void **state UNUSED)
{
	struct relayed r;
	pthread_t client, session;

	begin(&r, 60000);
	go(&r);
	assert_int_equal(pthread_create(&client, NULL, write_much, &r.client), 0);
	assert_int_equal(pthread_create(&session, NULL, write_much, &r.session), 0);
	assert_int_equal(read_all(r.client), 4 << 20);
	/* Its last word ends the relay, whatever the client goes on to say. */
	over(&r);
	pthread_join(client, NULL);
	pthread_join(session, NULL);
}

/* All that the client says arrives, though the session takes it slowly. */
static void what_does_not_fit_waits(void **state UNUSED)
{
	struct relayed r;
	pthread_t client;

	begin(&r, 60000);
	go(&r);
	assert_int_equal(pthread_create(&client, NULL, write_much, &r.client), 0);
	for (int i = 0; i < 100; i++) { /* while the other direction is in use */
		say(r.session, "x");
		hear(r.client, "x");
	}
	assert_int_equal(read_all(r.session), 4 << 20);
	pthread_join(client, NULL);
	close(r.session);
	r.session = -1;
	over(&r);
}

static void who_does_not_read_is_given_up(void **state UNUSED)
{
	struct relayed r;
	pthread_t session;

	begin(&r, 30);
	go(&r);
	assert_int_equal(pthread_create(&session, NULL, write_much, &r.session), 0);
	pthread_join(session, NULL);
	over(&r);
	assert_int_equal(r.end.sys, ETIMEDOUT);
}

/* A session that has begun ends by itself; one that nobody has taken ends now. */
static void a_stop_leaves_it_to_the_session(void **state UNUSED)
{
	struct relayed r;

	begin(&r, 60000);
	go(&r);
	say(r.session, "+OK\r\n");
	hear(r.client, "+OK\r\n");
	conn_interrupt(&r.conn);
	say(r.client, "NOOP\r\n");
	hear(r.session, "NOOP\r\n");
	close(r.session);
	r.session = -1;
	hear_end(r.client);
	over(&r);

	begin(&r, 60000);
	go(&r);
	conn_interrupt(&r.conn);
	hear_end(r.session);
	close(r.session);
	r.session = -1;
	over(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(what_was_read_before_comes_first),
		cmocka_unit_test(half_of_it_may_end),
		cmocka_unit_test(the_client_goes_away),
		cmocka_unit_test(nobody_waits_for_the_other),
		cmocka_unit_test(what_does_not_fit_waits),
		cmocka_unit_test(who_does_not_read_is_given_up),
		cmocka_unit_test(a_stop_leaves_it_to_the_session),
	};

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	return cmocka_run_group_tests_name("front/relay", tests, NULL, NULL);
}
