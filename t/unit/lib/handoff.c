/* SPDX-License-Identifier: ISC */
#include "lib/handoff.h"

#include "lib/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct channel {
	int give, take;
	struct buf note;
};

static void channel_open(struct channel *c)
{
	struct err e;

	assert_int_equal(handoff_pair(&c->give, &c->take, &e), 0);
	assert_int_equal(fcntl(c->give, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(c->take, F_GETFD), FD_CLOEXEC);
	buf_init(&c->note, HANDOFF_NOTE_MAX);
}

static void channel_close(struct channel *c)
{
	close(c->give);
	close(c->take);
	buf_fini(&c->note);
}

static int take(struct channel *c)
{
	struct err e;
	int fd;

	assert_int_equal(handoff_take(c->take, &fd, &c->note, &e), 0);
	return fd;
}

static size_t open_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void what_is_given_is_taken_once(void **state UNUSED)
{
	struct channel c;
	struct err e;
	int pair[2], fd;
	char got;

	channel_open(&c);
	assert_int_equal(take(&c), -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(handoff_give(c.give, pair[1], STR("a\0b"), 0, &e), 0);
	close(pair[1]);
	fd = take(&c);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(str_eq(buf_str(&c.note), STR("a\0b")));
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pair[0], &got, 1), 1);
	close(fd);
	assert_int_equal(read(pair[0], &got, 1), 0);
	close(pair[0]);
	assert_int_equal(take(&c), -1);
	assert_int_equal(c.note.n, 0);
	channel_close(&c);
}

static void a_note_may_be_empty_or_long(void **state UNUSED)
{
	static char octets[HANDOFF_NOTE_MAX];
	struct channel c;
	struct err e;

	memset(octets, 'n', sizeof octets);
	channel_open(&c);
	for (size_t n = 0; n <= sizeof octets; n += sizeof octets) {
		assert_int_equal(handoff_give(c.give, 0, (struct str){octets, n}, 0, &e),
				 0);

		int fd = take(&c);

		assert_true(fd >= 0);
		assert_true(str_eq(buf_str(&c.note), (struct str){octets, n}));
		close(fd);
	}
	channel_close(&c);
}

/* give_raw - as somebody would who does not use this module */
static void give_raw(int channel, const char *text, size_t n, int count)
{
	union {
		char octets[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	int fds[3] = {0, 1, 2};
	struct iovec part = {(void *)(uintptr_t)text, n};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

	if (count > 0) {
		m.msg_control = control.octets;
		m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));

		struct cmsghdr *h = CMSG_FIRSTHDR(&m);

		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(h), fds, (size_t)count * sizeof(int));
	}
	assert_int_equal(sendmsg(channel, &m, 0), (ssize_t)n);
}

static void what_is_no_handoff_is_passed_over(void **state UNUSED)
{
	static char octets[HANDOFF_NOTE_MAX + 2];
	struct channel c;
	struct err e;

	channel_open(&c);

	size_t before = open_descriptors();

	memset(octets, 'H', sizeof octets);
	give_raw(c.give, "Hnone", 5, 0);
	give_raw(c.give, "Htwo", 4, 2);
	give_raw(c.give, "Hthree", 6, 3);
	give_raw(c.give, "mark", 4, 1);
	give_raw(c.give, octets, sizeof octets, 1);
	assert_int_equal(handoff_give(c.give, 0, STR("good"), 0, &e), 0);

	int fd = take(&c);

	assert_true(fd >= 0);
	assert_true(str_eq(buf_str(&c.note), STR("good")));
	close(fd);
	assert_int_equal(open_descriptors(), before);
	channel_close(&c);
}

static void who_is_gone_takes_nothing(void **state UNUSED)
{
	struct channel c;
	struct err e = {0};
	int fd;

	channel_open(&c);
	close(c.take);
	assert_int_equal(handoff_give(c.give, 0, STR("x"), 0, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	c.take = dup(0);
	channel_close(&c);

	channel_open(&c);
	close(c.give);
	assert_int_equal(handoff_take(c.take, &fd, &c.note, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(fd, -1);
	c.give = dup(0);
	channel_close(&c);
}

/* By one holder of its end, for all. */
static void a_closed_channel_takes_nothing_in(void **state UNUSED)
{
	struct channel c;
	struct err e = {0};
	int fd, other;

	channel_open(&c);
	other = dup(c.give);
	assert_int_equal(handoff_give(c.give, 0, STR("before"), 0, &e), 0);
	assert_false(handoff_is_closed(c.take));
	handoff_close(c.give);
	assert_true(handoff_is_closed(c.take));
	assert_int_equal(handoff_give(other, 0, STR("after"), 0, &e), -1);
	assert_int_equal(e.sys, EPIPE);
	fd = take(&c);
	assert_true(fd >= 0);
	assert_true(str_eq(buf_str(&c.note), STR("before")));
	close(fd);
	assert_int_equal(handoff_take(c.take, &fd, &c.note, &e), -1);
	assert_int_equal(fd, -1);
	close(other);
	channel_close(&c);
}

static void *give_one_more(void *channel)
{
	struct err e;

	return handoff_give(*(int *)channel, 0, STR("late"), 0, &e) == 0 ? channel : NULL;
}

/* Full, and somebody makes room while a giver waits. */
static void a_full_channel_is_waited_for(void **state UNUSED)
{
	static char octets[HANDOFF_NOTE_MAX];
	struct channel c;
	pthread_t thread;
	void *done;
	size_t n = 0;

	channel_open(&c);
	memset(octets, 'H', sizeof octets);
	while (send(c.give, octets, sizeof octets, MSG_DONTWAIT) > 0)
		n++;
	assert_in_range(n, 2, 1000);
	assert_int_equal(pthread_create(&thread, NULL, give_one_more, &c.give), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(recv(c.take, octets, sizeof octets, 0),
				 (ssize_t)sizeof octets);
	pthread_join(thread, &done);
	assert_non_null(done);

	int fd = take(&c);

	assert_true(fd >= 0);
	assert_true(str_eq(buf_str(&c.note), STR("late")));
	close(fd);
	channel_close(&c);
}

static void a_giver_has_an_end_of_its_own(void **state UNUSED)
{
	static char octets[HANDOFF_NOTE_MAX];
	struct channel c;
	struct err e = {0};
	uint64_t begun = clock_ms();

	channel_open(&c);
	while (send(c.give, octets, sizeof octets, MSG_DONTWAIT) > 0)
		;
	assert_int_equal(handoff_give(c.give, 0, STR("x"), begun + 100, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_true(clock_ms() >= begun + 100);
	assert_true(clock_ms() - begun < HANDOFF_WAIT_MS);
	channel_close(&c);
}

/* The taker may be started later, or again: what was given waits. */
static void what_was_given_outlives_the_giver(void **state UNUSED)
{
	struct channel c;
	int status;

	channel_open(&c);

	pid_t pid = fork();

	if (pid == 0) {
		struct err e;
		int fd = handoff_ask(c.give, STR("from a child"), 0, &e);

		_exit(fd >= 0 && write(fd, "hello", 5) == 5 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	int fd = take(&c);
	char got[8];

	assert_true(fd >= 0);
	assert_true(str_eq(buf_str(&c.note), STR("from a child")));
	assert_int_equal(read(fd, got, sizeof got), 5);
	assert_int_equal(read(fd, got, sizeof got), 0);
	close(fd);
	channel_close(&c);
}

/* And nothing is lost. */
static void without_a_descriptor_nothing_is_taken(void **state UNUSED)
{
	struct channel c;
	struct rlimit was, none;
	struct err e = {0};
	int fd, rc;

	channel_open(&c);
	assert_int_equal(handoff_give(c.give, 0, STR("first"), 0, &e), 0);
	assert_int_equal(handoff_give(c.give, 0, STR("second"), 0, &e), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){1, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	rc = handoff_take(c.take, &fd, &c.note, &e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(e.sys, EMFILE);
	assert_int_equal(fd, -1);
	for (int i = 0; i < 2; i++) {
		fd = take(&c);
		assert_true(fd >= 0);
		assert_true(
			str_eq(buf_str(&c.note), i == 0 ? STR("first") : STR("second")));
		close(fd);
	}
	channel_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_is_taken_once),
		cmocka_unit_test(a_note_may_be_empty_or_long),
		cmocka_unit_test(what_is_no_handoff_is_passed_over),
		cmocka_unit_test(without_a_descriptor_nothing_is_taken),
		cmocka_unit_test(who_is_gone_takes_nothing),
		cmocka_unit_test(a_closed_channel_takes_nothing_in),
		cmocka_unit_test(a_full_channel_is_waited_for),
		cmocka_unit_test(a_giver_has_an_end_of_its_own),
		cmocka_unit_test(what_was_given_outlives_the_giver),
	};

	return cmocka_run_group_tests_name("lib/handoff", tests, NULL, NULL);
}
