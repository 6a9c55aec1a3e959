/* SPDX-License-Identifier: ISC */
#include "smtpauth/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct asking {
	int fd;
	uint64_t end_ms;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* wait_for - until something can be read or written, or it takes too long */
static int wait_for(const struct asking *a, short events, struct err *e)
{
	struct pollfd p = {.fd = a->fd, .events = events};
	int n;

	do {
		uint64_t now = now_ms();

		n = now < a->end_ms ? poll(&p, 1, (int)(a->end_ms - now)) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "wait for authd");
	if (n == 0)
		return err_set(e, ERR_TEMP, "4.4.2", "authd does not answer");
	return 0;
}

static int open_socket(const char *path, struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(path);

	if (n >= sizeof to.sun_path)
		return err_set(e, ERR_PERM, "5.3.5", "%s is too long for a socket", path);
	memcpy(to.sun_path, path, n);

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "make a socket");
	if (connect(fd, (const void *)&to, sizeof to) < 0) {
		err_sys(e, "connect to %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

/* say - the other program's SIGPIPE is its own */
static int say(const struct asking *a, struct str text, struct err *e)
{
	while (text.n > 0) {
		ssize_t n = send(a->fd, text.p, text.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && wait_for(a, POLLOUT, e) < 0)
			return -1;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(e, "write to authd");
		if (n > 0)
			text = (struct str){text.p + n, text.n - (size_t)n};
	}
	return 0;
}

/* hear - one message, and nothing behind it: nothing more was asked */
static int hear(const struct asking *a, struct wire *answer, struct err *e)
{
	enum wire_state state = WIRE_MORE;
	char piece[1024];
	size_t used = 0;
	ssize_t n = 0;

	while (state == WIRE_MORE) {
		if (wait_for(a, POLLIN, e) < 0)
			return -1;
		n = recv(a->fd, piece, sizeof piece, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_sys(e, "read from authd");
		if (n == 0)
			return err_set(e, ERR_TEMP, "4.4.2", "authd hung up");
		state = wire_feed(answer, (struct str){piece, (size_t)n}, &used);
	}
	explicit_bzero(piece, sizeof piece);
	if (state == WIRE_BROKEN)
		return err_set(e, ERR_TEMP, "4.3.0", "what authd says is no answer: %s",
			       wire_broken(answer));
	if (used != (size_t)n)
		return err_set(e, ERR_TEMP, "4.3.0", "authd says more than was asked");
	return 0;
}

int ask(const char *path, const struct wire *question, struct wire *answer, struct err *e)
{
	struct asking a = {.fd = open_socket(path, e), .end_ms = now_ms() + ASK_WAIT_MS};

	if (a.fd < 0)
		return -1;

	int rc = say(&a, buf_str(&question->text), e);

	if (rc == 0)
		rc = hear(&a, answer, e);
	close(a.fd);
	return rc;
}
