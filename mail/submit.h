/* SPDX-License-Identifier: ISC */
/*
 * submit - hands a message to the site's MTA through sendmail(1)
 *
 *   PROGRAM -i -f SENDER [-N NOTIFY] [-R RET] -- RCPT...      (-f <> for the null sender)
 *
 * The program is started by posix_spawn(3) with an argument vector: no shell, an
 * environment of our own, no descriptor but 0, 1 and 2, signals as after boot,
 * a process group of its own.  Addresses that begin with a hyphen stand behind
 * `--`; an address with a control octet is refused before anything is started.
 *
 * The message is first written whole to a file without a name, unstuffed and
 * with LF as sendmail(1) wants it, and that file is the program's standard
 * input.  A pipe would be no good: when we die in the middle, the program takes
 * the end of the pipe for the end of the message and sends what it has.
 *
 * The exit status says what became of it (sysexits.h): 0 means that the MTA has
 * the message in its queue, for all recipients.  EX_DATAERR, EX_NOUSER, EX_NOHOST
 * and EX_NOPERM are about this message, so they are ERR_PERM.  All else, a
 * signal and the deadline included, is ERR_TEMP: the site's fault, not the
 * sender's.
 *
 * Owns:    nothing after it returned; a program that misses its deadline is
 *          killed with its process group.
 * Limits:  SUBMIT_RECIPIENTS; what it prints is read to 200 octets, for the log.
 * Threads: any number.  SIGCHLD must not be ignored.
 * Tests:   t/unit/mail/submit.c
 */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "lib/err.h"
#include "lib/str.h"

enum { SUBMIT_RECIPIENTS = 1000 };

struct submit {
	const char *program;
	const char *sender; /* as RFC 5321 writes it; "" = null */
	const char *const *rcpt;
	size_t n_rcpt;
	uint32_t timeout_ms; /* 0: there is no time left, nothing is started */
	/* What RFC 3461 calls NOTIFY and RET, for all recipients; NULL or "": not said. */
	const char *notify, *ret;
	/* Reads stored octets of the message (CRLF, dot-stuffed) at `offset`, up to
	 * and including its end. */
	int (*read)(void *ctx, uint64_t offset, char *to, size_t n, size_t *got,
		    struct err *e);
	void *ctx;
};

bool submit_has(const char *option); /* NOTIFY, RET */
/* ERR_PERM for what no program is started for. */
int submit_check(const struct submit *s, struct err *e) MUST_USE;

/* A file without a name, for the message; -1. */
int submit_open(struct err *e);
/* Such a file, whole and rewound, stays the caller's; `read` is not used.  0: the MTA
 * has it. */
int submit_file(const struct submit *s, int in, struct err *e) MUST_USE;

/* Both in one.  0: the MTA has it. */
int submit_run(const struct submit *s, struct err *e) MUST_USE;

/* What an exit status (as from waitpid(2)) means; `said` is for the text. */
int submit_status(int status, struct str said, struct err *e);

#endif
