/* SPDX-License-Identifier: ISC */
/*
 * notice - what a child says about itself, as sd_notify(3) has it
 *
 * A notice is a datagram of lines VARIABLE=VALUE.  Which child it is from is told
 * by the kernel, not by the child: every process of the machine can send to the
 * socket, which is in the abstract name space and so leaves nothing behind.
 *
 * Tests: t/unit/dispatch/notice.c
 */
#ifndef NOTICE_H
#define NOTICE_H

#include "lib/err.h"
#include "lib/str.h"

#include <sys/types.h>

enum { NOTICE_NAME_MAX = 32, NOTICE_MAX = 1024 };

bool notice_is_ready(struct str datagram);
/* What STATUS= says; empty where there is none.  Points into the datagram. */
struct str notice_status(struct str datagram);

/* A socket of our own; `name` is for the children's NOTIFY_SOCKET. */
int notice_open(char name[NOTICE_NAME_MAX], int *fd, struct err *e);
struct notice {
	pid_t from; /* the sender's process */
	bool ready;
	struct str status; /* points into text */
	char text[NOTICE_MAX];
};

/* The next datagram without waiting; false when there is none. */
bool notice_receive(int fd, struct notice *out);

#endif
