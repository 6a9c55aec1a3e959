/* SPDX-License-Identifier: ISC */
/*
 * log_sink - where a line of the log goes: standard error or syslogd
 *
 * Nobody's mail waits for the log.  A reader that is slow holds a line up, for a second at
 * most; once it took that long lines are dropped, until one can be written at once again.
 * Standard error is often shared with other programs, so it gets a description of its own
 * here that does not block.  The same is why syslog(3) is not used: it waits for a syslogd
 * that hangs, under a lock.
 *
 * Owns:    a descriptor.
 * Threads: any; a line is one write(2) or one datagram.
 * Tests:   t/unit/lib/log_sink.c  t/fault/test_log.py
 */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include "lib/str.h"

enum {
	LOG_SINK_LINE_MAX = 4096, /* PIPE_BUF: what a pipe takes whole or not at all */
	LOG_SINK_WAIT_MS = 1000,
};

/* Until the first call lines go to standard error as it is. */
void log_sink_stderr(void);
/* `ident` must outlive it. */
void log_sink_syslog(const char *ident);
/* Other things stand at descriptors above 2 now: ours is gone.  Before one of the above. */
void log_sink_forget(void);

/* A line with its newline; for syslogd the newline is left out, and `priority` counts.
 * False when it was dropped. */
bool log_sink_put(int priority, struct str line);

#endif
