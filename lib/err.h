/* SPDX-License-Identifier: ISC */
/*
 * err - the one way a function says "no"
 *
 * Every function that can fail for a reason outside this program returns
 * int: 0 done, -1 refused, and takes `struct err *` as its last argument.
 * The struct answers the only three questions a mail server ever asks:
 * try again or give up?  which status code?  what do we tell the admin?
 *
 * Owns:  nothing; fixed size, lives on the caller's stack, safe to copy.
 * Logs:  never.  The caller that picks the protocol reply logs, once.
 * Tests: t/unit/lib/err.c
 */
#ifndef ERR_H
#define ERR_H

#include "lib/base.h"

enum err_class {
	ERR_NONE,
	ERR_TEMP, /* LMTP 4xx, POP3 [SYS/TEMP], milter TEMPFAIL, policy DEFER */
	ERR_PERM, /* LMTP 5xx, POP3 [SYS/PERM], milter REJECT,   policy REJECT */
	ERR_PEER, /* the other side broke the protocol or left: nobody to answer */
};

struct err {
	enum err_class class;
	char dsn[10]; /* RFC 3463 code, "4.3.1" */
	int sys;      /* errno when it was set, or 0 */
	char text[240];
};

/* Both return -1, so that a failure is one line: return err_set(e, ...); */
int err_set(struct err *e, enum err_class class, const char *dsn, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* For a failed system call: appends ": " and errno's text, keeps errno in
 * e->sys, and picks class and code by it: no space or quota is ERR_TEMP 4.3.1,
 * everything else ERR_TEMP 4.3.0. */
int err_sys(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prefixes context on the way up: "deliver to alice: open message: No space". */
int err_add(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The exit status for this error: EX_TEMPFAIL, or EX_DATAERR and the like
 * where the code says more (sysexits.h). */
int err_exit_status(const struct err *e);

#endif
