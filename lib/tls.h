/* SPDX-License-Identifier: ISC */
/*
 * tls - TLS 1.2 and 1.3 for every service (OpenSSL)
 *
 * A context is made once from the configuration: certificates, chosen by the name that the
 * client asks for (SNI), or the first one; what is offered is what testssl has nothing to
 * say against.  A connection is made by conn_start_tls(): from then on conn_input() and
 * conn_write() speak TLS, and what was read before is gone (P10).
 *
 * Session tickets are bound to the service and the certificate: one from elsewhere costs a
 * full handshake.  Their keys stay in the process and change every hour, so a ticket from
 * another worker costs one, too.  A client that offers ALPN protocols, and none of them is
 * the service's, is refused (RFC 7301 s3.2; ALPACA).  No renegotiation, no early data, no
 * compression.
 *
 * A client that sends a certificate that none of tls.client_ca has signed, or that is out of
 * date, is told so by an alert and gets no connection; without any it gets one.
 *
 * Where the kernel can do TLS for a connection, it does (kTLS).
 *
 * Owns:    a context its certificates and its tickets' keys; a connection its SSL.
 * Limits:  TLS_CERTIFICATES; an idle connection costs about 30 KB (SSL_MODE_RELEASE_BUFFERS).
 * Threads: a context any number; a connection one.
 * Tests:   t/unit/lib/tls.c  t/box/test_tls.py
 */
#ifndef TLS_H
#define TLS_H

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/settings.h"

enum { TLS_CERTIFICATES = 64, TLS_BINDING_MAX = 128 };

struct tls_context;
struct tls;

/* `service` is the ALPN name and what tickets are bound to: "pop3", "lmtp", "poppassd".
 * Reads the files, so it comes before privileges are given up.  *out is NULL when the
 * configuration has no certificate. */
int tls_context_new(const struct settings *set, const char *service,
		    struct tls_context **out, struct err *e) MUST_USE;
/* When no connection of it is left. */
void tls_context_free(struct tls_context **c);

/* ---- of a connection that conn_start_tls() has made ------------------------------- */

enum tls_binding { TLS_EXPORTER, TLS_SERVER_END_POINT };

/* Channel binding data, octets: RFC 9266 (TLS 1.3 only: tls-exporter), RFC 5929 s4
 * (tls-server-end-point).  False where there is none. */
bool tls_get_binding(const struct tls *t, enum tls_binding which, struct buf *out);

/* The client's certificate, if it sent one: its subject as RFC 4514 writes it, and its names
 * (rfc822Name, dNSName), a line each, "email x\n", "dns x\n".  False also when a buffer is
 * too small: half of a subject is somebody else. */
bool tls_get_client(const struct tls *t, struct buf *subject, struct buf *names);

/* "TLSv1.3", "TLS_AES_256_GCM_SHA384", for the log; static. */
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);

#endif
