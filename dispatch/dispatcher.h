/* SPDX-License-Identifier: ISC */
/*
 * dispatcher - does what the supervisor wishes, and tells it what happened
 *
 * The loop of popstored: one thread, asleep until a signal, a notice of a child,
 * or the next thing that is due.
 *
 * Tests: t/box/test_dispatch.py
 */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include "dispatch/service.h"

/* `file` is the configuration, `bin` the directory of the programs, `owned_set`
 * what is in the file now.  Returns the exit status when all is over; -1 when
 * nothing was started. */
int dispatcher_run(const char *file, const char *bin, struct settings *owned_set,
		   struct err *e);

#endif
