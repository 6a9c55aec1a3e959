/* SPDX-License-Identifier: ISC */
/*
 * change - a user's new password
 *
 * The old one is judged first, as for a login, with the same answers and waits for whoever
 * does not know it.  Only then is anything said of the account or of the new password: that
 * is AUTH_REJECTED, with a sentence for the user.
 *
 * Only a secret that is kept here is changed, and only the one that the old password
 * matched: who comes in by another source has his password elsewhere.  What a manager set
 * meanwhile stays.
 *
 * Threads: any.
 * Tests:   t/unit/authd/change.c
 */
#ifndef CHANGE_H
#define CHANGE_H

#include "authd/judge.h"

void change_password(struct judge *j, const struct question *q, struct auth_answer *out);

#endif
