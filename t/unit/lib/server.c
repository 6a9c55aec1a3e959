/* SPDX-License-Identifier: ISC */
/*
 * The server runs in a child, so that its signals and descriptor limits are its
 * own.  Nothing sleeps: READY=1 and STOPPING=1 arrive at a notify socket.
 */
#include "lib/server.h"

#include "lib/handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Most tests run twice. */
static bool by_steps;

struct fixture {
	char dir[32], path[48], notify_path[48];
	int notify;
	pid_t pid;
	int log;           /* what the child writes to standard error */
	rlim_t max_fd;     /* 0 = as it is */
	int give, take;    /* 0 = it listens */
	bool told_to_stop; /* before it runs */
	bool mute;
	struct server s;
};

/* greets, with what came along, then: "B" turns busy, "E" ends being busy, anything else is echoed */
static void session(struct conn *c, int protocol, void *ctx UNUSED)
{
	struct err e;
	struct str in;
	char hello[64];

	snprintf(hello, sizeof hello, "hello %d\n" STR_FMT, protocol, STR_ARG(c->note));
	if (conn_write(c, str_of(hello), false, &e) < 0)
		return;
	while (!server_stopping() || atomic_load(&c->busy)) {
		if (conn_input(c, &in, &e) < 0)
			break;
		if (in.p[0] == 'B' || in.p[0] == 'E')
			conn_busy(c, in.p[0] == 'B');
		if (conn_write(c, in, false, &e) < 0)
			return;
		conn_consume(c, in.n);
	}
	if (server_stopping() && conn_write(c, STR("bye\n"), false, &e) < 0)
		return;
}

/* The same by steps.  Besides, "W" holds its thread until another octet comes, "N" naps, "P"
 * has an octet come by another descriptor, and who is silent for too long is told so. */
struct stepping {
	int pair[2]; /* -1: not yet */
};

static int command(struct conn *c, struct stepping *x, struct str in, struct err *e)
{
	switch (in.p[0]) {
	case 'B':
	case 'E':
		conn_busy(c, in.p[0] == 'B');
		break;
	case 'W':
		conn_consume(c, in.n);
		if (conn_input(c, &in, e) < 0)
			return -1;
		break;
	case 'N':
		c->wake_ms = clock_ms() + 20;
		break;
	case 'P':
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, x->pair) == 0);
		server_watch(c, x->pair[0], false);
		must(write(x->pair[1], "!", 1) == 1);
		break;
	default:
		break;
	}
	if (conn_write(c, in, false, e) < 0)
		return -1;
	conn_consume(c, in.n);
	return 0;
}

/* act - 1: there is nothing more to do now */
static int act(struct conn *c, struct stepping *x, struct err *e)
{
	struct str in;
	char octet;

	if (c->wake_ms != 0 && clock_ms() >= c->wake_ms) {
		c->wake_ms = 0;
		return conn_write(c, STR("awake\n"), false, e);
	}
	if (x->pair[0] >= 0 && recv(x->pair[0], &octet, 1, MSG_DONTWAIT) == 1)
		return conn_write(c, (struct str){&octet, 1}, false, e);
	if (server_stopping() && !atomic_load(&c->busy))
		return -1;
	if (conn_input_now(c, &in, e) < 0)
		return -1;
	return in.n == 0 ? 1 : command(c, x, in, e);
}

static struct stepping *begin(struct conn *c, int protocol)
{
	struct stepping *x = xalloc(sizeof *x);
	char hello[64];
	struct err e;

	*x = (struct stepping){{-1, -1}};
	snprintf(hello, sizeof hello, "hello %d\n" STR_FMT, protocol, STR_ARG(c->note));
	(void)!conn_write(c, str_of(hello), false, &e);
	return x;
}

static bool step(struct conn *c, int protocol, void *ctx UNUSED)
{
	struct stepping *x = c->session ? c->session : begin(c, protocol);
	struct err e = {0};
	int rc;

	c->session = x;
	do
		rc = act(c, x, &e);
	while (rc == 0);
	if (rc > 0)
		return true;
	if (server_stopping() || e.sys == ETIMEDOUT)
		(void)!conn_write(c, server_stopping() ? STR("bye\n") : STR("late\n"),
				  false, &e);
	if (x->pair[0] >= 0) {
		close(x->pair[0]);
		close(x->pair[1]);
	}
	xfree(&x);
	return false;
}

static void child(struct fixture *f, int log)
{
	char *addresses[] = {f->path};
	struct server_listen listen = {.name = "test",
				       .addresses = addresses,
				       .n = 1,
				       .protocol = 7,
				       .mute = f->mute};
	struct err e = {0};

	if (f->max_fd != 0) {
		struct rlimit l = {f->max_fd, f->max_fd};

		setrlimit(RLIMIT_NOFILE, &l);
	}
	dup2(log, STDERR_FILENO);
	if (f->take != 0) {
		char pid[16];

		snprintf(pid, sizeof pid, "%d", (int)getpid());
		dup2(f->take, 3);
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_FDNAMES", "test.take", 1);
		listen = (struct server_listen){
			.name = "test.take", .protocol = 7, .handoff = true};
	}
	setenv("NOTIFY_SOCKET", f->notify_path, 1);
	if (f->told_to_stop) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGTERM);
	}
	f->s.listen = &listen;
	f->s.n_listen = 1;
	_exit(server_run(&f->s, &e) == 0 ? 0 : 9);
}

static void expect_state(struct fixture *f, const char *want)
{
	char got[64] = "";

	assert_true(recv(f->notify, got, sizeof got - 1, 0) > 0);
	assert_string_equal(got, want);
}

static void start(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int log[2];

	snprintf(f->dir, sizeof f->dir, "/tmp/popstore-unit-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/socket", f->dir);
	snprintf(f->notify_path, sizeof f->notify_path, "%s/notify", f->dir);
	snprintf(a.sun_path, sizeof a.sun_path, "%s", f->notify_path);
	f->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->notify, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(pipe(log), 0);
	f->pid = fork();
	if (f->pid == 0)
		child(f, log[1]);
	close(log[1]);
	f->log = log[0];
	expect_state(f, "READY=1");
}

static int finish(struct fixture *f)
{
	int status;

	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	close(f->notify);
	close(f->log);
	unlink(f->path);
	unlink(f->notify_path);
	rmdir(f->dir);
	return status;
}

static int dial(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void expect(int fd, const char *want)
{
	char got[64] = "";

	assert_int_equal(recv(fd, got, strlen(want), MSG_WAITALL), (ssize_t)strlen(want));
	assert_string_equal(got, want);
}

static void expect_end(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

static struct fixture fixture(uint32_t max_connections)
{
	return (struct fixture){.s = {.program = "test",
				      .max_connections = max_connections,
				      .idle_ms = 60000,
				      .busy = STR("busy\n"),
				      .late = STR("late\n"),
				      .session = by_steps ? NULL : session,
				      .step = by_steps ? step : NULL}};
}

static void idle_sessions_end_at_once(void **state UNUSED)
{
	struct fixture f = fixture(10);

	start(&f);

	int a = dial(&f), b = dial(&f);

	expect(a, "hello 7\n");
	expect(b, "hello 7\n");
	assert_int_equal(write(a, "x", 1), 1);
	expect(a, "x");
	kill(f.pid, SIGTERM);
	expect_state(&f, "STOPPING=1");
	expect(a, "bye\n");
	expect(b, "bye\n");
	expect_end(a);
	expect_end(b);
	assert_int_equal(finish(&f), 0);
}

static void busy_session_finishes_first(void **state UNUSED)
{
	struct fixture f = fixture(10);

	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	assert_int_equal(write(a, "B", 1), 1);
	expect(a, "B");
	kill(f.pid, SIGINT);
	expect_state(&f, "STOPPING=1");
	assert_int_equal(write(a, "x", 1), 1);
	expect(a, "x");
	assert_int_equal(write(a, "E", 1), 1);
	expect(a, "E");
	expect(a, "bye\n");
	expect_end(a);
	assert_int_equal(finish(&f), 0);
}

static void after_a_hangup_sessions_end_by_themselves(void **state UNUSED)
{
	struct fixture f = fixture(10);

	start(&f);

	int a = dial(&f), b = dial(&f);

	expect(a, "hello 7\n");
	expect(b, "hello 7\n");
	kill(f.pid, SIGHUP);
	expect_state(&f, "STOPPING=1");
	kill(f.pid, SIGHUP); /* changes nothing */
	assert_int_equal(write(a, "x", 1), 1);
	expect(a, "x");
	close(a);
	assert_int_equal(write(b, "y", 1), 1);
	expect(b, "y");
	close(b);
	assert_int_equal(finish(&f), 0);
}

static void told_to_stop_after_a_hangup(void **state UNUSED)
{
	struct fixture f = fixture(10);

	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	kill(f.pid, SIGHUP);
	expect_state(&f, "STOPPING=1");
	kill(f.pid, SIGTERM);
	expect(a, "bye\n");
	expect_end(a);
	assert_int_equal(finish(&f), 0);
}

static void grace_has_an_end(void **state UNUSED)
{
	struct fixture f = fixture(10);

	f.s.grace_ms = 30;
	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	assert_int_equal(write(a, "B", 1), 1);
	expect(a, "B");
	kill(f.pid, SIGTERM);
	expect_end(a);
	assert_int_equal(finish(&f), 0);
}

static void one_too_many_is_told_so(void **state UNUSED)
{
	struct fixture f = fixture(2);
	char line[256] = "";

	start(&f);

	int a = dial(&f), b = dial(&f);

	expect(a, "hello 7\n");
	expect(b, "hello 7\n");

	int c = dial(&f);

	expect(c, "busy\n");
	expect_end(c);
	assert_true(read(f.log, line, sizeof line - 1) > 0);
	assert_non_null(
		strstr(line, "event=server.busy level=warn program=test connections=2"));
	close(a);
	kill(f.pid, SIGTERM);
	close(b);
	assert_int_equal(finish(&f), 0);
}

static void a_client_of_tls_too_many_is_told_nothing(void **state UNUSED)
{
	struct fixture f = fixture(1);

	f.mute = true;
	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	expect_end(dial(&f));
	close(a);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

static uint64_t children_cpu_ms(void)
{
	struct rusage use;

	getrusage(RUSAGE_CHILDREN, &use);
	return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

/* The connection that found no descriptor is served as soon as there is one, and
 * the waiting costs next to no processor time: asking again without a pause would
 * burn all of it. */
static void out_of_descriptors(void **state UNUSED)
{
	struct fixture f = fixture(100);
	uint64_t cpu = children_cpu_ms(), wall = clock_ms();
	char line[256] = "";
	int held[16];
	size_t n = 0;

	f.max_fd = 18;
	start(&f);
	for (; n < countof(held); n++) /* more than fit in any case */
		held[n] = dial(&f);
	for (int i = 0; i < 2; i++) { /* at most a line a second: one second passes */
		assert_true(read(f.log, line, sizeof line - 1) > 0);
		assert_non_null(strstr(line, "event=server.accept.failed level=error"));
		assert_non_null(strstr(line, "Too many open files"));
	}
	expect(held[0], "hello 7\n");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			expect(held[i], "hello 7\n");
		close(held[i]);
	}
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
	cpu = children_cpu_ms() - cpu;
	wall = clock_ms() - wall;
	print_message("%d ms of processor time in %d ms\n", (int)cpu, (int)wall);
	assert_true(cpu < wall / 4);
}

static void limit_descriptors(const struct fixture *f, rlim_t n)
{
	struct rlimit l;

	assert_int_equal(prlimit(f->pid, RLIMIT_NOFILE, NULL, &l), 0);
	l.rlim_cur = n < l.rlim_max ? n : l.rlim_max;
	assert_int_equal(prlimit(f->pid, RLIMIT_NOFILE, &l, NULL), 0);
}

/* Of this connection the server was told, perhaps nobody else, and it did not take it. */
static void who_waits_at_a_hangup_is_served(void **state UNUSED)
{
	struct fixture f = fixture(10);
	char line[256] = "";

	start(&f);
	limit_descriptors(&f, 3);

	int a = dial(&f);

	assert_true(read(f.log, line, sizeof line - 1) > 0);
	assert_non_null(strstr(line, "event=server.accept.failed level=error"));
	limit_descriptors(&f, RLIM_INFINITY);
	kill(f.pid, SIGHUP); /* before it tries again */
	expect_state(&f, "STOPPING=1");
	expect(a, "hello 7\n");
	assert_int_equal(write(a, "x", 1), 1);
	expect(a, "x");
	close(a);
	assert_int_equal(finish(&f), 0);
}

/* ---- connections that another process gives ------------------------------------ */

static int ask(struct fixture *f, const char *note)
{
	struct err e;
	int fd = handoff_ask(f->give, str_of(note), 0, &e);

	assert_true(fd >= 0);
	return fd;
}

static void what_is_given_is_served_with_its_note(void **state UNUSED)
{
	struct fixture f = fixture(2);
	struct err e;

	assert_int_equal(handoff_pair(&f.give, &f.take, &e), 0);

	int early = ask(&f, "early\n");

	start(&f);

	int late = ask(&f, "late\n");

	expect(early, "hello 7\nearly\n");
	expect(late, "hello 7\nlate\n");

	int one_more = ask(&f, "");

	expect(one_more, "busy\n");
	expect_end(one_more);
	close(early);
	assert_int_equal(write(late, "x", 1), 1);
	expect(late, "x");
	kill(f.pid, SIGTERM);
	expect_state(&f, "STOPPING=1");
	expect(late, "bye\n");
	expect_end(late);
	assert_int_equal(finish(&f), 0);

	/* Nobody is there, and nothing is lost: the next one takes it. */
	int waiting = ask(&f, "waiting\n");

	start(&f);
	expect(waiting, "hello 7\nwaiting\n");
	kill(f.pid, SIGTERM); /* the server has a copy of our end: it sees no hang-up */
	expect(waiting, "bye\n");
	assert_int_equal(finish(&f), 0);
	close(waiting);
	close(f.give);
	close(f.take);
}

/* A stop that comes before anything is taken. */
static void what_is_left_in_a_closed_channel_is_told(void **state UNUSED)
{
	struct fixture f = fixture(2);
	struct err e;

	assert_int_equal(handoff_pair(&f.give, &f.take, &e), 0);
	f.told_to_stop = true;

	int first = ask(&f, "first\n"), second = ask(&f, "second\n");

	/* Another process may take it. */
	start(&f);
	expect_state(&f, "STOPPING=1");
	assert_int_equal(finish(&f), 0);
	assert_int_equal(recv(first, &(char){0}, 1, MSG_DONTWAIT), -1);

	handoff_close(f.give);
	start(&f);
	expect(first, "late\n");
	expect(second, "late\n");
	expect_end(first);
	expect_end(second);
	assert_int_equal(finish(&f), 0);
	close(f.give);
	close(f.take);
}

/* Until the stop comes, a channel that is closed is nothing to complain of. */
static void a_closed_channel_is_left_alone(void **state UNUSED)
{
	struct fixture f = fixture(2);
	struct err e;
	char c;

	assert_int_equal(handoff_pair(&f.give, &f.take, &e), 0);

	int fd = ask(&f, "one\n");

	handoff_close(f.give);
	start(&f);
	expect(fd, "hello 7\none\n");
	kill(f.pid, SIGTERM);
	expect(fd, "bye\n");
	expect_end(fd);
	assert_int_equal(read(f.log, &c, 1), 0);
	assert_int_equal(finish(&f), 0);
	close(f.give);
	close(f.take);
}

/* ---- by steps ----------------------------------------------------------------- */

static void silence_has_an_end(void **state UNUSED)
{
	struct fixture f = fixture(10);

	f.s.idle_ms = 50;
	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	expect(a, "late\n");
	expect_end(a);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

static void a_nap_has_an_end(void **state UNUSED)
{
	struct fixture f = fixture(10);

	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	assert_int_equal(write(a, "N", 1), 1);
	expect(a, "N");
	expect(a, "awake\n");
	assert_int_equal(write(a, "x", 1), 1);
	expect(a, "x");
	close(a);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

static void another_descriptor_is_watched(void **state UNUSED)
{
	struct fixture f = fixture(10);

	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	assert_int_equal(write(a, "P", 1), 1);
	expect(a, "P!");
	close(a);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

/* threads - of the server */
static unsigned threads(const struct fixture *f)
{
	char name[64], line[256];
	unsigned n = 0;
	FILE *status;

	snprintf(name, sizeof name, "/proc/%d/status", (int)f->pid);
	status = fopen(name, "r");
	assert_non_null(status);
	while (fgets(line, sizeof line, status) != NULL)
		if (strncmp(line, "Threads:", 8) == 0)
			n = (unsigned)strtoul(line + 8, NULL, 10);
	fclose(status);
	return n;
}

enum { MANY = 200, HELD = 40 };

static void who_is_idle_holds_no_thread(void **state UNUSED)
{
	struct fixture f = fixture(MANY);
	int a[MANY];

	start(&f);
	for (size_t i = 0; i < MANY; i++)
		a[i] = dial(&f);
	for (size_t i = 0; i < MANY; i++)
		expect(a[i], "hello 7\n");
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(write(a[i], "x", 1), 1);
		expect(a[i], "x");
	}
	print_message("%u threads\n", threads(&f));
	assert_true(threads(&f) < MANY / 4);
	for (size_t i = 0; i < MANY; i++)
		close(a[i]);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

static void who_is_held_up_holds_up_nobody(void **state UNUSED)
{
	struct fixture f = fixture(HELD + 1);
	int held[HELD], a;

	start(&f);
	for (size_t i = 0; i < HELD; i++) {
		held[i] = dial(&f);
		expect(held[i], "hello 7\n");
		assert_int_equal(write(held[i], "W", 1), 1);
	}
	a = dial(&f);
	expect(a, "hello 7\n");
	assert_int_equal(write(a, "x", 1), 1);
	expect(a, "x");
	for (size_t i = 0; i < HELD; i++) {
		assert_int_equal(write(held[i], "y", 1), 1);
		expect(held[i], "y");
		close(held[i]);
	}
	close(a);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

/* What comes while a thread has the connection is not lost. */
static void octets_come_at_any_time(void **state UNUSED)
{
	enum { ROUNDS = 2000, OCTETS = 10 };
	struct fixture f = fixture(2);

	start(&f);

	int a = dial(&f);

	expect(a, "hello 7\n");
	for (size_t i = 0; i < ROUNDS; i++) {
		for (size_t n = 0; n < OCTETS; n++)
			assert_int_equal(write(a, "x", 1), 1);
		expect(a, "xxxxxxxxxx");
	}
	close(a);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

/* An end that comes right behind the last octets is heard, too. */
static void an_end_is_heard_at_any_time(void **state UNUSED)
{
	struct fixture f = fixture(500);

	start(&f);
	for (int i = 0; i < 500; i++) {
		int a = dial(&f);

		if (i % 2)
			expect(a, "hello 7\n");
		assert_int_equal(write(a, "x", 1), 1);
		assert_int_equal(shutdown(a, SHUT_WR), 0);
		expect(a, i % 2 ? "x" : "hello 7\nx");
		expect_end(a);
	}
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
}

/* ---- the rest ------------------------------------------------------------------ */

static int tick_pipe[2];

static void tick(void *ctx UNUSED)
{
	must(write(tick_pipe[1], "t", 1) == 1);
}

static void tick_comes_again_and_again(void **state UNUSED)
{
	struct fixture f = fixture(1);
	char got[3];

	assert_int_equal(pipe(tick_pipe), 0);
	f.s.tick = tick;
	f.s.tick_ms = 5;
	start(&f);
	for (size_t i = 0; i < sizeof got; i++)
		assert_int_equal(read(tick_pipe[0], &got[i], 1), 1);
	kill(f.pid, SIGTERM);
	assert_int_equal(finish(&f), 0);
	close(tick_pipe[0]);
	close(tick_pipe[1]);
}

static void nothing_to_listen_on(void **state UNUSED)
{
	struct server s = fixture(1).s;
	struct err e = {0};

	assert_int_equal(server_run(&s, &e), -1);
	assert_string_equal(e.text, "no address to listen on");
}

static int straight(void **state UNUSED)
{
	by_steps = false;
	return 0;
}

static int steps(void **state UNUSED)
{
	by_steps = true;
	return 0;
}

#define STRAIGHT(test) cmocka_unit_test_setup(test, straight)
#define STEPS(test)    cmocka_unit_test_setup(test, steps)
#define BOTH(test)     STRAIGHT(test), STEPS(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(idle_sessions_end_at_once),
		BOTH(busy_session_finishes_first),
		BOTH(after_a_hangup_sessions_end_by_themselves),
		BOTH(told_to_stop_after_a_hangup),
		BOTH(grace_has_an_end),
		BOTH(one_too_many_is_told_so),
		BOTH(a_client_of_tls_too_many_is_told_nothing),
		BOTH(out_of_descriptors),
		BOTH(who_waits_at_a_hangup_is_served),
		BOTH(what_is_given_is_served_with_its_note),
		BOTH(what_is_left_in_a_closed_channel_is_told),
		BOTH(a_closed_channel_is_left_alone),
		STEPS(silence_has_an_end),
		STEPS(a_nap_has_an_end),
		STEPS(another_descriptor_is_watched),
		STEPS(who_is_idle_holds_no_thread),
		STEPS(who_is_held_up_holds_up_nobody),
		STEPS(octets_come_at_any_time),
		BOTH(an_end_is_heard_at_any_time),
		STRAIGHT(tick_comes_again_and_again),
		STRAIGHT(nothing_to_listen_on),
	};

	return cmocka_run_group_tests_name("lib/server", tests, NULL, NULL);
}
