/* SPDX-License-Identifier: ISC */
/*
 * password - from standard input or a prompt, never from the words of a command,
 *            which every user of the machine can see
 *
 * Tests: t/box/test_ctl.py
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include "auth/secret.h"

struct ctl;

/* What a secret is made of, to be wiped by the caller: from the first line of standard input
 * with --password-stdin or --hash-stdin, else from a password that is typed twice without
 * echo.  Without a switch and a terminal, or after an empty answer, it has no hash. */
int password_prepare(const struct ctl *c, struct secret_prepared *out, struct err *e);
/* Whether a switch says where it comes from. */
bool password_is_given(const struct ctl *c);

#endif
