/* SPDX-License-Identifier: ISC */
/*
 * hot - a hot path of the store in one process, to be counted
 *
 *   hot_delivery conf=popstore.conf count=100 octets=8K
 *   hot_retr conf=popstore.conf count=100
 *
 * The session code of popstore-lmtpd or popstore-pop3d, with the store, talks to a client that
 * is forked off, one command at a time, so that every run does the same.  Nothing is timed
 * here: it is run under callgrind, which counts the instructions within the session, and the
 * calls of malloc among them (t/bench/gates).
 *
 * HOT_USER is there already, and for RETR has a message.
 */
#ifndef BENCH_HOT_H
#define BENCH_HOT_H

#include "lib/err.h"
#include "lib/str.h"

#include <stdint.h>

struct conn;
struct store;

#define HOT_USER "user0@example.org"

struct hot_path {
	void (*client)(int fd);
	int (*server)(struct store *s, struct conn *c, struct err *e);
};

extern uint64_t hot_count, hot_octets; /* as the options say */

int hot_run(int argc, char **argv, const struct hot_path *path); /* for main() */

/* For the client; what is not as expected ends it. */
void hot_ask(int fd, struct str text);
/* Reads one answer, up to octets that end so. */
void hot_answer(int fd, const char *begin, const char *end);

#endif
