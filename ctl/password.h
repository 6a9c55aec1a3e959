/* SPDX-License-Identifier: ISC */
/*
 * password - from standard input or a prompt, never from the words of a command,
 *            which every user of the machine can see
 *
 * Tests: t/box/test_ctl.py
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include "lib/buf.h"
#include "lib/err.h"

struct ctl;

/* Puts the password into `out`, which the caller ends with buf_fini_secret():
 * the first line of standard input with --password-stdin, else typed twice
 * without echo.  Without the switch and a terminal it stays empty. */
int password_get(const struct ctl *c, struct buf *out, struct err *e);

#endif
