/* SPDX-License-Identifier: ISC */
/* What the black-box tests cannot set up: time limits shorter than RFC 1939 allows. */
#include "popd/session.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "store/account.h"
#include "t/unit/auth/scratch.h"

struct served {
	struct scratch scratch;
	struct account account;
	struct handover handover;
	int peer;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct served *v = arg;
	struct session *s;
	struct conn c;

	conn_open(&c, v->peer, 60000);
	s = session_begin(v->scratch.store, &c, &v->handover);
	while (session_step(s))
		poll(&(struct pollfd){.fd = c.fd, .events = POLLIN}, 1, 20);
	session_end(&s);
	conn_close(&c);
	return NULL;
}

/* connect_to - a session of alice's, on a thread; returns the client's end */
static int connect_to(struct served *v)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	v->peer = fd[1];
	assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
	return fd[0];
}

static void hang_up(struct served *v, int fd)
{
	close(fd);
	assert_int_equal(pthread_join(v->thread, NULL), 0);
}

static void begin(struct served *v, uint64_t idle_s)
{
	*v = (struct served){0};
	scratch_begin(&v->scratch, "");
	v->scratch.set->pop3.idle_timeout_s = idle_s;
	v->account = scratch_add(&v->scratch, "alice@example.org", NULL, 0);
	snprintf(v->handover.account, sizeof v->handover.account, "alice@example.org");
	v->handover.uid = v->account.uid;
}

/* read_all - whatever comes until the session ends */
static void read_all(int fd, struct buf *said)
{
	char piece[256];
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0)
		buf_put(said, (struct str){piece, (size_t)n});
}

/* The clock runs for a whole command: octets that trickle in do not stop it, and
 * RFC 1939 s3 wants no word at the end. */
static void a_drip_of_octets_does_not_hold_a_session(void **state)
{
	struct served v;
	struct buf said;
	int octets = 0;

	(void)state;
	begin(&v, 1);

	int fd = connect_to(&v);
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	while (poll(&p, 1, 50) == 0 && write(fd, "N", 1) == 1)
		assert_true(++octets < 1000);
	assert_true(octets > 0);
	buf_init(&said, 1000);
	read_all(fd, &said);
	assert_string_equal(buf_cstr(&said), "+OK 0 messages (0 octets)\r\n");
	buf_fini(&said);
	hang_up(&v, fd);
	scratch_end(&v.scratch);
}

static void expect_no_maildrop(struct served *v)
{
	struct buf said;
	int fd = connect_to(v);

	buf_init(&said, 1000);
	read_all(fd, &said);
	assert_string_equal(buf_cstr(&said), "-ERR [SYS/PERM] there is no maildrop\r\n");
	buf_fini(&said);
	hang_up(v, fd);
}

/* It may be deleted between its password and its session, and made anew. */
static void a_deleted_account_has_no_session(void **state)
{
	struct served v;
	struct err e;

	(void)state;
	begin(&v, 600);
	assert_int_equal(account_delete(v.scratch.store, &v.account.name, &e), 0);
	expect_no_maildrop(&v);
	v.account = scratch_add(&v.scratch, "alice@example.org", NULL, 0);
	assert_true(v.account.uid != v.handover.uid);
	expect_no_maildrop(&v);
	scratch_end(&v.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drip_of_octets_does_not_hold_a_session),
		cmocka_unit_test(a_deleted_account_has_no_session),
	};

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
