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

/* A socket of our own; `name` is for the children's NOTIFY_SOCKET. */
int notice_open(char name[NOTICE_NAME_MAX], int *fd, struct err *e);
/* The next datagram without waiting; false when there is none.  *from is the
 * sender's process, *ready what it said. */
bool notice_receive(int fd, pid_t *from, bool *ready);

#endif
