/* SPDX-License-Identifier: ISC */
/*
 * capa - what this server can do (RFC 2449, 3206, 5034, 2595)
 *
 * Only what is true is announced: USER where a plaintext login would be accepted on this
 * connection, SASL with the mechanisms that authd offers on it now, STLS where TLS can
 * still be begun, LOGIN-DELAY where one is configured and enforced.  IMPLEMENTATION is
 * for those who have logged in: strangers learn no version.
 *
 * Tests: t/unit/popd/login.c  t/unit/popd/pop3.c
 */
#ifndef CAPA_H
#define CAPA_H

#include "lib/buf.h"

struct capa {
	bool plaintext;         /* USER and PASS work here */
	bool stls;              /* TLS can be begun */
	bool tls;               /* it was */
	bool apop;              /* the greeting's challenge may be answered */
	bool xclient;           /* the peer may say for whom it speaks */
	uint64_t login_delay_s; /* 0 = none */
	const char *mechanisms; /* of SASL, a blank between two; NULL = none */
};

/* Whether `mechanism`, in any case, is one of them. */
bool capa_has_mechanism(const struct capa *c, struct str mechanism);

void capa_reply(struct buf *out, const struct capa *c, bool logged_in);
/* To AUTH without a mechanism, as clients ask that are older than CAPA. */
void capa_mechanisms_reply(struct buf *out, const struct capa *c);

#endif
