/* SPDX-License-Identifier: ISC */
#include "dispatch/notice.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool notice_is_ready(struct str datagram)
{
	while (datagram.n > 0)
		if (str_eq(str_cut(&datagram, '\n'), STR("READY=1")))
			return true;
	return false;
}

struct str notice_status(struct str datagram)
{
	while (datagram.n > 0) {
		struct str line = str_cut(&datagram, '\n');

		if (str_starts(line, STR("STATUS=")))
			return (struct str){line.p + STR("STATUS=").n,
					    line.n - STR("STATUS=").n};
	}
	return STR("");
}

int notice_open(char name[NOTICE_NAME_MAX], int *fd, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t n = sizeof a;
	int on = 1;

	/* Binding to the family alone makes the kernel choose a free abstract name. */
	*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_sys(e, "notify socket");
	if (bind(*fd, (struct sockaddr *)&a, sizeof a.sun_family) < 0 ||
	    setsockopt(*fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
	    getsockname(*fd, (struct sockaddr *)&a, &n) < 0) {
		err_sys(e, "notify socket");
		close(*fd);
		return -1;
	}
	snprintf(name, NOTICE_NAME_MAX, "@%.*s",
		 (int)(n - offsetof(struct sockaddr_un, sun_path) - 1), a.sun_path + 1);
	return 0;
}

bool notice_receive(int fd, struct notice *out)
{
	union {
		char space[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {out->text, sizeof out->text};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof control};
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return false;

	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct ucred who = {0};

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&who, CMSG_DATA(c), sizeof who);
	out->from = who.pid;
	out->ready = notice_is_ready((struct str){out->text, (size_t)n});
	out->status = notice_status((struct str){out->text, (size_t)n});
	return true;
}
