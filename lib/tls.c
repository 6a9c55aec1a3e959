/* SPDX-License-Identifier: ISC */
#include "lib/tls_int.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

struct tls_context {
	size_t n;
	SSL_CTX *ctx[TLS_CERTIFICATES]; /* a certificate each; alike in all else */
	struct tls_ticket_keys *tickets;
	unsigned char alpn[64]; /* in wire form: its length, and the name */
	size_t alpn_n;
};

/* With forward secrecy, and authenticated as a whole; TLS 1.3 has no others. */
#define CIPHERS_1_2                                                  \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"

/* ---- what the client asks for -------------------------------------------------------- */

/* asked_name - the host name of the extension (RFC 6066 s3); "" when there is none */
static struct str asked_name(SSL *ssl)
{
	const unsigned char *p;
	size_t n, name_n;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
		return STR("");
	/* A list of one: its length, the type 0, the name's length, the name. */
	if (n < 5 || (size_t)(p[0] << 8 | p[1]) != n - 2 ||
	    p[2] != TLSEXT_NAMETYPE_host_name)
		return STR("");
	name_n = (size_t)(p[3] << 8 | p[4]);
	/* With a leading dot X509_check_host() would take it for all subdomains. */
	if (name_n != n - 5 || name_n == 0 || name_n > TLSEXT_MAXLEN_host_name ||
	    p[5] == '.')
		return STR("");
	return (struct str){(const char *)p + 5, name_n};
}

/*
 * choose - the certificate, before anything else is looked at
 *
 * OpenSSL asks for the name (SSL_CTX_set_tlsext_servername_callback) when it has already
 * found the session of a ticket.  Here the context is the right one by then, and a ticket
 * from another fails on the session id context.
 */
static int choose(SSL *ssl, int *alert UNUSED, void *arg)
{
	const struct tls_context *c = arg;
	struct str name = asked_name(ssl);

	for (size_t i = 0; name.n > 0 && i < c->n; i++) {
		X509 *x = SSL_CTX_get0_certificate(c->ctx[i]);

		if (X509_check_host(x, name.p, name.n,
				    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) != 1)
			continue;
		must(SSL_set_SSL_CTX(ssl, c->ctx[i]) != NULL);
		break;
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* agree - RFC 7301 s3.2: a client that wants other protocols only was led astray */
static int agree(SSL *ssl UNUSED, const unsigned char **out, unsigned char *out_n,
		 const unsigned char *in, unsigned in_n, void *arg)
{
	const struct tls_context *c = arg;
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, out_n, c->alpn, (unsigned)c->alpn_n, in,
				  in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- what is the same for all certificates --------------------------------------------- */

/* no_passphrase - a service has nobody to ask, and must not wait for a terminal */
static int no_passphrase(char *buf UNUSED, int size UNUSED, int writing UNUSED,
			 void *arg UNUSED)
{
	return -1;
}

static void set_versions(SSL_CTX *ctx, int minimum)
{
	char groups[] = "X25519:P-256:X448:P-384:P-521";
	int oldest = minimum == TLS_MINIMUM_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

	SSL_CTX_set_security_level(ctx, 2);
	must(SSL_CTX_set_min_proto_version(ctx, oldest) == 1);
	must(SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1);
	must(SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1);
	must(SSL_CTX_set1_groups_list(ctx, groups) == 1);
}

static void set_behaviour(SSL_CTX *ctx)
{
	/* A client that hangs up without an end is no news: each protocol has an end of
	 * its own. */
	SSL_CTX_set_options(ctx,
			    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
				    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets do */
	must(SSL_CTX_set_num_tickets(ctx, 1) == 1);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

static SSL_CTX *new_ctx(struct tls_context *c, const struct settings *set)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	must(ctx != NULL);
	set_versions(ctx, set->tls.minimum);
	set_behaviour(ctx);
	tls_ticket_keys_use(ctx, c->tickets);
	SSL_CTX_set_client_hello_cb(ctx, choose, c);
	SSL_CTX_set_alpn_select_cb(ctx, agree, c);
	return ctx;
}

/* ---- files -------------------------------------------------------------------------------- */

/* can_read - OpenSSL's own words for this leave out the reason */
static int can_read(const char *setting, const char *file, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "tls.%s %s", setting, file);
	close(fd);
	return 0;
}

static int bad_file(struct err *e, const char *setting, const char *file,
		    const char *wanted)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	err_set(e, ERR_PERM, "5.3.5", "tls.%s %s: %s (%s)", setting, file, wanted,
		why != NULL ? why : "no reason given");
	ERR_clear_error();
	return -1;
}

static int load_certificate(SSL_CTX *ctx, const char *file, struct err *e)
{
	if (can_read("certificate", file, e) < 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ctx, file) != 1)
		return bad_file(e, "certificate", file,
				"has to hold a certificate in PEM form, and then those "
				"that lead to its issuer");
	return 0;
}

/* is_mismatch - the key is one, but not this certificate's; of another kind, it has none */
static bool is_mismatch(unsigned long why)
{
	int reason = ERR_GET_REASON(why);

	if (ERR_GET_LIB(why) == ERR_LIB_SSL)
		return reason == SSL_R_NO_CERTIFICATE_ASSIGNED;
	return ERR_GET_LIB(why) == ERR_LIB_X509 &&
	       (reason == X509_R_KEY_VALUES_MISMATCH ||
		reason == X509_R_KEY_TYPE_MISMATCH);
}

static int load_key(SSL_CTX *ctx, const char *file, const char *certificate,
		    struct err *e)
{
	if (can_read("key", file, e) < 0)
		return -1;
	if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1)
		return 0;
	if (is_mismatch(ERR_peek_last_error())) {
		ERR_clear_error();
		return err_set(e, ERR_PERM, "5.3.5",
			       "tls.key %s does not belong to tls.certificate %s: name "
			       "keys and certificates in the same order",
			       file, certificate);
	}
	return bad_file(e, "key", file,
			"has to hold a private key in PEM form, without a passphrase");
}

/* bind_tickets - to the service and the certificate: a ticket from elsewhere is unknown */
static void bind_tickets(SSL_CTX *ctx, const char *service)
{
	unsigned char *der = NULL;
	unsigned char id[SHA256_DIGEST_LENGTH];
	int n = i2d_X509(SSL_CTX_get0_certificate(ctx), &der);
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	must(n > 0 && md != NULL);
	must(EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(md, service, strlen(service) + 1) == 1 &&
	     EVP_DigestUpdate(md, der, (size_t)n) == 1 &&
	     EVP_DigestFinal_ex(md, id, NULL) == 1);
	must(SSL_CTX_set_session_id_context(ctx, id, sizeof id) == 1);
	EVP_MD_CTX_free(md);
	OPENSSL_free(der);
}

static int load_client_ca(SSL_CTX *ctx, const struct conf_list *files, struct err *e)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	int rc = 0;

	must(names != NULL);
	for (size_t i = 0; rc == 0 && i < files->n; i++) {
		const char *file = files->v[i];

		if (can_read("client_ca", file, e) < 0)
			rc = -1;
		else if (SSL_CTX_load_verify_file(ctx, file) != 1 ||
			 SSL_add_file_cert_subjects_to_stack(names, file) != 1)
			rc = bad_file(e, "client_ca", file,
				      "has to hold certificates in PEM form");
	}
	SSL_CTX_set_client_CA_list(ctx, names); /* takes it over */
	if (files->n > 0)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return rc;
}

/* ---- the context ----------------------------------------------------------------------------- */

static int add(struct tls_context *c, const struct settings *set, const char *service,
	       struct err *e)
{
	const char *certificate = set->tls.certificate.v[c->n];
	SSL_CTX *ctx = new_ctx(c, set);

	ERR_clear_error();
	if (load_certificate(ctx, certificate, e) < 0 ||
	    load_key(ctx, set->tls.key.v[c->n], certificate, e) < 0 ||
	    load_client_ca(ctx, &set->tls.client_ca, e) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	bind_tickets(ctx, service);
	c->ctx[c->n++] = ctx;
	return 0;
}

static int check_pairs(const struct settings *set, struct err *e)
{
	size_t n = set->tls.certificate.n;

	if (set->tls.key.n != n)
		return err_set(e, ERR_PERM, "5.3.5",
			       "tls.certificate has %zu files and tls.key %zu: each "
			       "certificate needs its key, in the same order",
			       n, set->tls.key.n);
	if (n > TLS_CERTIFICATES)
		return err_set(e, ERR_PERM, "5.3.5",
			       "tls.certificate has more than %d files",
			       TLS_CERTIFICATES);
	return 0;
}

static void set_alpn(struct tls_context *c, const char *service)
{
	size_t n = strlen(service);

	must(n > 0 && n < sizeof c->alpn);
	c->alpn[0] = (unsigned char)n;
	memcpy(c->alpn + 1, service, n);
	c->alpn_n = n + 1;
}

int tls_context_new(const struct settings *set, const char *service,
		    struct tls_context **out, struct err *e)
{
	*out = NULL;
	if (check_pairs(set, e) < 0)
		return -1;
	if (set->tls.certificate.n == 0)
		return 0;

	struct tls_context *c = xalloc(sizeof *c);

	c->tickets = tls_ticket_keys_new();
	set_alpn(c, service);
	while (c->n < set->tls.certificate.n)
		if (add(c, set, service, e) < 0) {
			tls_context_free(&c);
			return -1;
		}
	*out = c;
	return 0;
}

void tls_context_free(struct tls_context **c)
{
	if (*c == NULL)
		return;
	for (size_t i = 0; i < (*c)->n; i++)
		SSL_CTX_free((*c)->ctx[i]);
	tls_ticket_keys_free(&(*c)->tickets);
	xfree(c);
}

SSL_CTX *tls_context_first(const struct tls_context *c)
{
	return c->ctx[0];
}
