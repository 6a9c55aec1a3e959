/* SPDX-License-Identifier: ISC */
#include "dispatch/channels.h"

#include "lib/handoff.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Rows of our own: what the table has of them is t/unit/dispatch/service.c's. */
static const struct service login = {.gives = 1u << CHANNEL_SESSION | 1u << CHANNEL_AUTH};
static const struct service session = {.takes = 1u << CHANNEL_SESSION, .signs = true};
static const struct service authd = {.takes = 1u << CHANNEL_AUTH, .signs = true};
static const struct service stranger;

static int end_of(const struct channels *c, const struct service *service,
		  const char *name)
{
	const struct listening *l[CHANNEL_ENDS];
	size_t n = channels_of(c, service, l);

	for (size_t i = 0; i < n; i++)
		if (strcmp(l[i]->section, name) == 0)
			return l[i]->fd;
	return -1;
}

static void each_service_holds_its_ends(void **state UNUSED)
{
	const struct listening *l[CHANNEL_ENDS];
	struct channels c;
	struct err e;

	assert_int_equal(channels_open(&c, &e), 0);
	assert_int_equal(channels_of(&c, &login, l), 2);
	assert_int_equal(channels_of(&c, &session, l), 2);
	assert_int_equal(channels_of(&c, &authd, l), 2);
	assert_int_equal(channels_of(&c, &stranger, l), 0);
	assert_int_equal(end_of(&c, &session, "session.give"), -1);
	assert_int_equal(end_of(&c, &login, "auth.take"), -1);
	assert_int_equal(end_of(&c, &login, "ticket"), -1);
	assert_true(end_of(&c, &authd, "ticket") >= 0);
	assert_int_equal(end_of(&c, &authd, "ticket"), end_of(&c, &session, "ticket"));

	int give = end_of(&c, &login, "session.give");
	int take = end_of(&c, &session, "session.take");

	assert_int_equal(fcntl(give, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(take, F_GETFD), FD_CLOEXEC);
	channels_close(&c);
	assert_int_equal(fcntl(give, F_GETFD), -1);
	assert_int_equal(fcntl(take, F_GETFD), -1);
}

static void a_channel_joins_its_two_ends_alone(void **state UNUSED)
{
	struct channels c;
	struct buf note;
	struct err e;
	int fd, take;

	buf_init(&note, HANDOFF_NOTE_MAX);
	assert_int_equal(channels_open(&c, &e), 0);
	assert_int_equal(
		handoff_give(end_of(&c, &login, "auth.give"), 0, STR("for authd"), 0, &e),
		0);
	take = end_of(&c, &session, "session.take");
	assert_int_equal(handoff_take(take, &fd, &note, &e), 0);
	assert_int_equal(fd, -1);
	take = end_of(&c, &authd, "auth.take");
	assert_int_equal(handoff_take(take, &fd, &note, &e), 0);
	assert_true(fd >= 0);
	assert_true(str_eq(buf_str(&note), STR("for authd")));
	close(fd);
	channels_close(&c);
	buf_fini(&note);
}

/* As where its taker was killed, or was starting, when popstored was told to stop. */
static void who_was_not_taken_is_told_at_the_end(void **state UNUSED)
{
	static const struct str late =
		STR_INIT("-ERR [SYS/TEMP] no session now, try again later\r\n");
	struct channels c;
	struct err e;

	assert_int_equal(channels_open(&c, &e), 0);

	int give = end_of(&c, &login, "session.give");
	int client[3];

	for (size_t i = 0; i < countof(client); i++) {
		client[i] = handoff_ask(give, STR("who it is"), 0, &e);
		assert_true(client[i] >= 0);
	}
	close(client[0]); /* has hung up */
	channels_stop(&c);
	channels_close(&c);
	for (size_t i = 1; i < countof(client); i++) {
		char said[128];

		assert_int_equal(recv(client[i], said, sizeof said, MSG_WAITALL), late.n);
		assert_memory_equal(said, late.p, late.n);
		close(client[i]);
	}
}

static void nothing_was_opened(void **state UNUSED)
{
	struct channels c = {0};

	channels_close(&c); /* what popstored does when its start fails early */
	assert_true(fcntl(0, F_GETFD) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_service_holds_its_ends),
		cmocka_unit_test(a_channel_joins_its_two_ends_alone),
		cmocka_unit_test(who_was_not_taken_is_told_at_the_end),
		cmocka_unit_test(nothing_was_opened),
	};

	return cmocka_run_group_tests_name("dispatch/channels", tests, NULL, NULL);
}
