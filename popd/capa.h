/* SPDX-License-Identifier: ISC */
/*
 * capa - what this server can do, in the words of POP3 (RFC 2449, 3206, 5034, 2595)
 *
 * Only what is true is announced: USER where a plaintext login would be accepted on this
 * connection, SASL with the mechanisms that authd offers on it now, STLS where TLS can
 * still be begun, LOGIN-DELAY where one is configured and enforced.  IMPLEMENTATION is
 * for those who have logged in: strangers learn no version.
 *
 * Tests: t/unit/popd/login.c  t/unit/popd/pop3.c
 */
#ifndef POP3_CAPA_H
#define POP3_CAPA_H

#include "front/capa.h"
#include "lib/buf.h"

void capa_reply(struct buf *out, const struct capa *c, bool logged_in);
/* To AUTH without a mechanism, as clients ask that are older than CAPA. */
void capa_mechanisms_reply(struct buf *out, const struct capa *c);

#endif
