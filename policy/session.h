/* SPDX-License-Identifier: ISC */
/*
 * session - one connection of an MTA: requests in, the store's verdicts out
 *
 * An MTA keeps its connections and asks again and again; a connection that has
 * been silent for POLICY_IDLE_MS is closed without a word, as both protocols
 * allow (Postfix gives its own up after 1000 seconds).
 *
 * Limits: POLICY_REQUEST_MS from the first octet of a request to its last.
 * Logs:   what was refused or deferred (info and warn), and broken requests.
 * Tests:  t/box/test_policy.py  t/box/test_socketmap.py
 */
#ifndef SESSION_H
#define SESSION_H

#include "lib/conn.h"

enum { POLICY_IDLE_MS = 1800 * 1000, POLICY_REQUEST_MS = 100 * 1000 };

struct store;

void policy_session(struct store *st, struct conn *c);
void socketmap_session(struct store *st, struct conn *c);

#endif
