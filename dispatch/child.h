/* SPDX-License-Identifier: ISC */
/*
 * child - one program started by popstored
 *
 * It finds its sockets by LISTEN_FDS, answers to NOTIFY_SOCKET, has a process group of
 * its own (so that Ctrl-C on a terminal reaches popstored alone, which then ends
 * its children in order), has none of popstored's ambient capabilities, and gets
 * SIGTERM when popstored is gone, however that came.
 *
 * Tests: t/box/test_dispatch.py
 */
#ifndef CHILD_H
#define CHILD_H

#include "dispatch/channels.h"

#include <sys/types.h>

/* What one service may be handed. */
enum { CHILD_SOCKETS = SOCKETS_OF_SERVICE + CHANNEL_ENDS };

struct child {
	const char *path;
	const char *const *argv; /* NULL at the end */
	const struct listening *const *sockets;
	size_t n_sockets;
	const char *notify; /* NULL: it has nothing to say */
	bool quiet;         /* standard output goes nowhere */
};

/* Forks; *pid is -1 when that failed.  A program that cannot be executed shows as
 * a child that ends with EX_OSFILE, and says why on standard error. */
int child_start(const struct child *c, pid_t *pid, struct err *e);

#endif
