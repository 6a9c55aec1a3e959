/* SPDX-License-Identifier: ISC */
#include "lib/handoff.h"

#include "lib/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Stands before each note: an empty message cannot be told from the end. */
static const char mark = 'H';

/* What is sent along is one descriptor; the kernel's rounding may let two through. */
union control {
	char octets[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

int handoff_pair(int *give, int *take, struct err *e)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return err_sys(e, "make a channel");
	*give = fd[0];
	*take = fd[1];
	return 0;
}

/* ---- giving -------------------------------------------------------------------- */

static int try_to_give(int channel, int fd, struct str note)
{
	union control control = {0};
	struct iovec parts[] = {{(void *)(uintptr_t)&mark, 1},
				{(void *)(uintptr_t)note.p, note.n}};
	struct msghdr m = {.msg_iov = parts,
			   .msg_iovlen = countof(parts),
			   .msg_control = control.octets,
			   .msg_controllen = CMSG_SPACE(sizeof fd)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(channel, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int handoff_give(int channel, int fd, struct str note, uint64_t end_ms, struct err *e)
{
	uint64_t end = clock_ms() + HANDOFF_WAIT_MS;

	if (end_ms != 0 && end_ms < end)
		end = end_ms;
	must(note.n <= HANDOFF_NOTE_MAX);
	while (try_to_give(channel, fd, note) < 0) {
		struct pollfd p = {.fd = channel, .events = POLLOUT};
		uint64_t now = clock_ms();

		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_sys(e, "hand over a connection");
		if (now >= end)
			return err_set(e, ERR_TEMP, "4.3.2",
				       "hand over a connection: nobody takes it");
		poll(&p, 1, (int)(end - now));
	}
	return 0;
}

void handoff_close(int give)
{
	/* Of the pair, and not of this descriptor alone. */
	must(shutdown(give, SHUT_WR) == 0);
}

/* ---- taking -------------------------------------------------------------------- */

/* take_fd - the one descriptor that came, or -1: then none is left open */
static int take_fd(struct msghdr *m)
{
	int fd[2], one = -1;
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		must(n <= countof(fd));
		memcpy(fd, CMSG_DATA(c), n * sizeof(int));
	}
	if (n == 1)
		one = fd[0];
	for (size_t i = 0; n > 1 && i < n; i++)
		close(fd[i]);
	return one;
}

/* is_cut - there was a descriptor, and another thread took the last room */
static bool is_cut(struct msghdr *m)
{
	return (m->msg_flags & MSG_CTRUNC) && CMSG_FIRSTHDR(m) == NULL;
}

/* has_room - what comes when there is none is lost */
static bool has_room(int channel)
{
	int fd = fcntl(channel, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool handoff_is_closed(int take)
{
	struct pollfd p = {.fd = take, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP)) != 0;
}

int handoff_take(int channel, int *fd, struct buf *note, struct err *e)
{
	char octets[1 + HANDOFF_NOTE_MAX];
	union control control;

	*fd = -1;
	buf_clear(note);
	if (!has_room(channel))
		return err_sys(e, "take a connection");
	for (;;) {
		struct iovec part = {octets, sizeof octets};
		struct msghdr m = {.msg_iov = &part,
				   .msg_iovlen = 1,
				   .msg_control = control.octets,
				   .msg_controllen = sizeof control.octets};
		ssize_t n = recvmsg(channel, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : err_sys(e, "take a connection");
		if (n == 0) {
			errno = EPIPE;
			return err_sys(e, "take a connection: nobody gives any more");
		}
		if (is_cut(&m)) {
			errno = EMFILE;
			return err_sys(e, "take a connection");
		}
		*fd = take_fd(&m);
		if (*fd >= 0 && octets[0] == mark && !(m.msg_flags & MSG_TRUNC)) {
			buf_put(note, (struct str){octets + 1, (size_t)n - 1});
			return 0;
		}
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
}

void handoff_turn_away(int take, struct str last)
{
	struct buf note;
	struct err e;
	int fd;

	buf_init(&note, HANDOFF_NOTE_MAX);
	while (handoff_take(take, &fd, &note, &e) == 0 && fd >= 0) {
		send(fd, last.p, last.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
	}
	buf_fini(&note);
}

/* ---- asking -------------------------------------------------------------------- */

int handoff_ask(int channel, struct str note, uint64_t end_ms, struct err *e)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return err_sys(e, "make a pair of sockets");

	int rc = handoff_give(channel, fd[1], note, end_ms, e);

	close(fd[1]);
	if (rc == 0)
		return fd[0];
	close(fd[0]);
	return -1;
}
