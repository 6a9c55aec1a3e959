/* SPDX-License-Identifier: ISC */
/*
 * outgoing - has popstore-submitd run sendmail(1) for us
 *
 * Takes what submit_run() takes, and returns what it would have: that program may do it,
 * and who speaks with strangers may not.
 *
 * Limits:  no longer than timeout_ms and OUTGOING_SLACK_MS.
 * Threads: any number on one channel.
 * Tests:   t/unit/submit/session.c  t/box/test_lmtp_forward.py
 */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "mail/submit.h"

enum { OUTGOING_SLACK_MS = 10000 };

/* `channel` is server_channel("submit"), or -1 where there is none; s->program is not
 * looked at.  0: the MTA has it. */
int outgoing_mail(int channel, const struct submit *s, struct err *e) MUST_USE;

#endif
