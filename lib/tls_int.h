/* SPDX-License-Identifier: ISC */
/*
 * tls_int - the TLS end of a connection, as lib/conn drives it
 *
 * The socket does not block: every call does what can be done at once, and says what it
 * waits for.  The waiting, with its clocks, is lib/conn_tls.c's.
 *
 *   lib/tls.c         contexts: what the configuration says
 *   lib/tls_ticket.c  the keys of session tickets
 *   lib/tls_stream.c  octets in and out
 *   lib/tls_peer.c    who the peer is, and what binds a proof to this connection
 */
#ifndef TLS_INT_H
#define TLS_INT_H

#include "lib/tls.h"

#include <openssl/ssl.h>
#include <sys/types.h>

struct tls {
	SSL *ssl;
	struct buf held;      /* written, but something follows at once: not sent yet */
	bool broken;          /* nothing more can be said or heard */
	int sys;              /* errno of what broke it, or 0 */
	uint64_t deadline_ms; /* the conn's, which waits for the end of the handshake */
};

enum tls_io {
	TLS_IO_DONE,
	TLS_IO_WANT_READ,  /* again when the socket can be read */
	TLS_IO_WANT_WRITE, /* likewise */
	TLS_IO_END,        /* the peer has closed */
	TLS_IO_BROKEN,     /* tls_why() says why */
};

/* Where a connection begins; the name that the client asks for may choose another. */
SSL_CTX *tls_context_first(const struct tls_context *c);

/* `fd` stays the caller's, and must not block. */
struct tls *tls_new(struct tls_context *c, int fd);
/* Tells the peer that this is the end, if that can be done at once. */
void tls_free(struct tls **t);

enum tls_io tls_handshake(struct tls *t);
enum tls_io tls_read(struct tls *t, char *to, size_t max, size_t *n);
/* Some of it.  After TLS_IO_WANT_*, the same octets have to come again. */
enum tls_io tls_write(struct tls *t, struct str out, size_t *n);
/* Octets of a file, by the kernel; only where tls_has_sendfile(). */
enum tls_io tls_sendfile(struct tls *t, int fd, off_t offset, size_t max, size_t *n);
bool tls_has_sendfile(const struct tls *t);
/* Octets that were deciphered and not read; poll(2) knows nothing of them. */
bool tls_pending(const struct tls *t);
/* After TLS_IO_BROKEN; ERR_PEER, -1. */
int tls_why(const struct tls *t, const char *what, struct err *e);

/* One set of keys for all certificates of a context. */
struct tls_ticket_keys;
struct tls_ticket_keys *tls_ticket_keys_new(void);
void tls_ticket_keys_free(struct tls_ticket_keys **k);
/* `k` has to live as long as `ctx`. */
void tls_ticket_keys_use(SSL_CTX *ctx, struct tls_ticket_keys *k);

#endif
