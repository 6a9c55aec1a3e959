/* SPDX-License-Identifier: ISC */
/*
 * session - one order to mail something (mail/order.h), from a process of ours
 *
 * The message is written to a file without a name first, and only a whole one starts
 * the program.
 *
 * Logs:  submit.order.broken; a failure is logged by who asked.
 * Tests: t/unit/submit/session.c  t/box/test_lmtp_forward.py
 */
#ifndef SESSION_H
#define SESSION_H

struct conn;
struct settings;

void submit_session(const struct settings *set, struct conn *c);

#endif
