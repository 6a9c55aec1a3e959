/* SPDX-License-Identifier: ISC */
#include "lib/tls_int.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

struct tls *tls_new(struct tls_context *c, int fd)
{
	struct tls *t = xalloc(sizeof *t);

	t->ssl = SSL_new(tls_context_first(c));
	must(t->ssl != NULL && SSL_set_fd(t->ssl, fd) == 1);
	SSL_set_accept_state(t->ssl);
	return t;
}

void tls_free(struct tls **t)
{
	if (*t == NULL)
		return;
	ERR_clear_error();
	if (!(*t)->broken && !SSL_in_init((*t)->ssl))
		SSL_shutdown((*t)->ssl);
	ERR_clear_error();
	SSL_free((*t)->ssl);
	buf_fini(&(*t)->held);
	xfree(t);
}

/* outcome - of a call that returned `rc`; errno is still its */
static enum tls_io outcome(struct tls *t, int rc)
{
	int sys = errno;

	if (rc > 0)
		return TLS_IO_DONE;
	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_IO_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_IO_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_IO_END;
	case SSL_ERROR_SYSCALL:
		t->sys = sys;
		break;
	default:
		t->sys = 0;
		break;
	}
	t->broken = true;
	return TLS_IO_BROKEN;
}

/* begin - OpenSSL's queue of errors is the thread's, and must be empty before a call */
static void begin(void)
{
	ERR_clear_error();
	errno = 0;
}

enum tls_io tls_handshake(struct tls *t)
{
	begin();
	return outcome(t, SSL_do_handshake(t->ssl));
}

enum tls_io tls_read(struct tls *t, char *to, size_t max, size_t *n)
{
	begin();
	return outcome(t, SSL_read_ex(t->ssl, to, max, n));
}

enum tls_io tls_write(struct tls *t, struct str out, size_t *n)
{
	begin();
	return outcome(t, SSL_write_ex(t->ssl, out.p, out.n, n));
}

enum tls_io tls_sendfile(struct tls *t, int fd, off_t offset, size_t max, size_t *n)
{
	ossl_ssize_t sent;

	begin();
	sent = SSL_sendfile(t->ssl, fd, offset, max, 0);
	*n = sent > 0 ? (size_t)sent : 0;
	if (sent == 0) /* the end of the file; SSL_get_error() knows no such thing */
		return TLS_IO_DONE;
	return outcome(t, sent < 0 ? -1 : 1);
}

bool tls_has_sendfile(const struct tls *t)
{
	return BIO_get_ktls_send(SSL_get_wbio(t->ssl)) > 0;
}

/* Not SSL_has_pending(): half a record is there for it, too, and there it may stay. */
bool tls_pending(const struct tls *t)
{
	return SSL_pending(t->ssl) > 0;
}

int tls_why(const struct tls *t, const char *what, struct err *e)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	if (t->sys != 0) {
		errno = t->sys;
		err_sys(e, "%s", what);
		e->class = ERR_PEER;
		return -1;
	}
	return err_set(e, ERR_PEER, "4.4.2", "%s: %s", what,
		       why != NULL ? why : "broken off");
}
