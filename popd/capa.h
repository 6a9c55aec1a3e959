/* SPDX-License-Identifier: ISC */
/*
 * capa - what this server can do (RFC 2449, 3206), said in both states alike
 *
 * Only what is true is announced: USER where a plaintext login would be
 * accepted on this connection, LOGIN-DELAY where one is configured and enforced.
 * IMPLEMENTATION is for those who have logged in: strangers learn no version.
 *
 * Tests: t/unit/popd/login.c  t/unit/popd/pop3.c
 */
#ifndef CAPA_H
#define CAPA_H

#include "lib/buf.h"

struct capa {
	bool plaintext;         /* USER and PASS work here */
	uint64_t login_delay_s; /* 0 = none */
};

void capa_reply(struct buf *out, const struct capa *c, bool logged_in);

#endif
