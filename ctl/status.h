/* SPDX-License-Identifier: ISC */
/*
 * status - what the parts of `popstore status` share
 *
 * Tests: t/box/test_status.py  t/box/test_check.py  t/box/test_privileges.py
 */
#ifndef STATUS_H
#define STATUS_H

#include "ctl/ctl.h"
#include "ctl/table.h"

struct status {
	struct ctl *c;
	struct table *t;
	struct buf attention; /* a line each */
	struct buf processes; /* "service pid told", a line each */
};

/* One thing that an operator has to look at. */
void status_attend(struct status *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* One process that popstored runs, or itself; `told` is what it said. */
void status_process(struct status *s, struct str service, uint64_t pid, struct str told);

/* What the processes may do, of those that status_process() was told of. */
enum { STATUS_PRIVILEGE_COLUMNS = 16 };
extern const struct column status_privilege_columns[STATUS_PRIVILEGE_COLUMNS];
int status_privileges(struct status *s, struct err *e);

/* Checks and scrubs that run, or were stopped. */
enum { STATUS_CHECK_COLUMNS = 13 };
extern const struct column status_check_columns[STATUS_CHECK_COLUMNS];
int status_checks(struct status *s, struct err *e);

/* Tries to log in, and who is slowed down. */
enum { STATUS_LOGIN_COLUMNS = 6 };
extern const struct column status_login_columns[STATUS_LOGIN_COLUMNS];
int status_logins(struct status *s, struct err *e);

#endif
