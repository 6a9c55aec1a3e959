/* SPDX-License-Identifier: ISC */
/*
 * source_saslauthd - asks saslauthd(8)
 *
 * Its protocol is four strings, each with its length in two octets before it - user,
 * password, service, realm - and one back that begins with OK or NO.  It is spoken here and
 * not by libsasl, which waits without end and takes a dead saslauthd for a wrong password.
 */
#include "authd/source_int.h"

#include "lib/buf.h"
#include "lib/conn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024, STRING_MAX = 1024 };

/* connect_in - or fail after SOURCE_CONNECT_S: where its queue is full, connect(2) waits until
 * there is room */
static int connect_in(int fd, const struct sockaddr_un *a)
{
	struct timeval t = {.tv_sec = SOURCE_CONNECT_S};

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) < 0)
		return -1;
	return connect(fd, (const struct sockaddr *)a, sizeof *a);
}

static int reach(const char *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof a.sun_path)
		return err_set(e, ERR_PERM, "5.3.5",
			       "the path of its socket is too long");
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "make a socket");
	if (connect_in(fd, &a) < 0) {
		err_sys(e, "connect to %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

static void put_string(struct buf *out, struct str s)
{
	char length[2] = {(char)(s.n >> 8), (char)s.n};

	buf_put(out, (struct str){length, 2});
	buf_put(out, s);
}

static int send_all(int fd, struct str out, struct err *e)
{
	/* Less than a socket's buffer: there is room, or something is wrong. */
	ssize_t n = send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == (ssize_t)out.n)
		return 0;
	return n < 0 ? err_sys(e, "write")
		     : err_set(e, ERR_TEMP, "4.3.0", "it takes nothing in");
}

/* receive - the length and as many octets, or less where it says no more */
static int receive(int fd, uint64_t end, struct buf *in, struct err *e)
{
	while (in->n < 4) {
		uint64_t now = clock_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char *to = buf_reserve(in, ANSWER_MAX - in->n);
		ssize_t n;

		if (to == NULL || now >= end || poll(&p, 1, (int)(end - now)) == 0)
			return err_set(e, ERR_TEMP, "4.3.0", "no answer in %d s",
				       SOURCE_WAIT_S);
		n = recv(fd, to, ANSWER_MAX - in->n, MSG_DONTWAIT);
		if (n == 0)
			return err_set(e, ERR_TEMP, "4.3.0", "no answer");
		if (n > 0)
			buf_used(in, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, "read");
	}
	return 0;
}

/* judge - "NO" is for wrong passwords, and for all that goes wrong behind saslauthd; the
 * two cannot be told apart */
static enum source_result judge(struct str answer, struct err *e)
{
	struct str word = {answer.p + 2, answer.n - 2};

	if (str_starts(word, STR("OK")))
		return SOURCE_YES;
	if (str_starts(word, STR("NO")))
		return SOURCE_NO;
	err_set(e, ERR_TEMP, "4.3.0", "the answer is neither OK nor NO");
	return SOURCE_FAILED;
}

/* split - saslauthd's user and realm */
static void put_question(struct buf *out, const struct source_question *q)
{
	struct str realm = q->user;
	struct str local = str_cut(&realm, '@');

	put_string(out, local);
	put_string(out, q->password);
	put_string(out, str_of(q->service));
	put_string(out, realm);
}

enum source_result source_saslauthd(const struct source *s UNUSED,
				    const struct source_question *q, struct err *e)
{
	uint64_t end = clock_ms() + SOURCE_WAIT_S * 1000;
	enum source_result r = SOURCE_FAILED;
	struct buf out, in;
	int fd;

	if (q->user.n > STRING_MAX || q->password.n > STRING_MAX ||
	    memchr(q->user.p, '\0', q->user.n) != NULL)
		return SOURCE_NO;
	fd = reach(q->set->auth.saslauthd, e);
	if (fd < 0)
		return SOURCE_FAILED;
	buf_init_secret(&out, 4 * (STRING_MAX + 2));
	buf_init(&in, ANSWER_MAX);
	put_question(&out, q);
	if (send_all(fd, buf_str(&out), e) == 0 && receive(fd, end, &in, e) == 0)
		r = judge(buf_str(&in), e);
	buf_fini(&in);
	buf_fini_secret(&out);
	close(fd);
	return r;
}
