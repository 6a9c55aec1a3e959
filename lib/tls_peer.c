/* SPDX-License-Identifier: ISC */
#include "lib/tls_int.h"

#include <openssl/x509v3.h>
#include <string.h>

/* ---- channel binding ----------------------------------------------------------------- */

/* RFC 9266 s2.  In TLS 1.2 the value would hold only with an extended master secret. */
static bool exporter(const struct tls *t, struct buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char value[32];

	if (SSL_version(t->ssl) < TLS1_3_VERSION)
		return false;
	if (SSL_export_keying_material(t->ssl, value, sizeof value, label,
				       sizeof label - 1, NULL, 0, 0) != 1)
		return false;
	buf_put(out, (struct str){(const char *)value, sizeof value});
	OPENSSL_cleanse(value, sizeof value);
	return true;
}

/* RFC 5929 s4.1: the digest is that of the certificate's signature, but SHA-256 where that
 * is a weak one; a signature without a digest (Ed25519) has no such binding. */
static const EVP_MD *end_point_digest(X509 *x)
{
	int digest = NID_undef;

	if (X509_get_signature_info(x, &digest, NULL, NULL, NULL) != 1)
		return NULL;
	if (digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1)
		return EVP_sha256();
	return EVP_get_digestbynid(digest);
}

static bool end_point(const struct tls *t, struct buf *out)
{
	X509 *x = SSL_get_certificate(t->ssl);
	const EVP_MD *digest = x != NULL ? end_point_digest(x) : NULL;
	unsigned char value[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (digest == NULL || X509_digest(x, digest, value, &n) != 1)
		return false;
	buf_put(out, (struct str){(const char *)value, n});
	return true;
}

bool tls_get_binding(const struct tls *t, enum tls_binding which, struct buf *out)
{
	switch (which) {
	case TLS_EXPORTER:
		return exporter(t, out);
	case TLS_SERVER_END_POINT:
		return end_point(t, out);
	}
	must(false);
}

/* ---- the client's certificate ----------------------------------------------------------- */

static bool put_subject(const X509 *x, struct buf *out)
{
	/* As RFC 4514 has it, in UTF-8; controls and what has a meaning are escaped. */
	unsigned long how = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	must(bio != NULL);
	if (X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, how) >= 0) {
		n = BIO_get_mem_data(bio, &p);
		if (n > 0)
			buf_put(out, (struct str){p, (size_t)n});
	}
	BIO_free(bio);
	return !buf_over(out);
}

/* put_name - a name that is not plain text is none: it could end a line, or the name, early */
static void put_name(const char *kind, const ASN1_IA5STRING *name, struct buf *out)
{
	struct str text = {(const char *)ASN1_STRING_get0_data(name),
			   (size_t)ASN1_STRING_length(name)};

	for (size_t i = 0; i < text.n; i++)
		if (!ascii_is_print(text.p[i]) || text.p[i] == ' ')
			return;
	if (text.n > 0)
		buf_printf(out, "%s " STR_FMT "\n", kind, STR_ARG(text));
}

static bool put_names(const X509 *x, struct buf *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL)
			put_name("email", name->d.rfc822Name, out);
		else if (name->type == GEN_DNS)
			put_name("dns", name->d.dNSName, out);
	}
	GENERAL_NAMES_free(names);
	return !buf_over(out);
}

bool tls_get_client(const struct tls *t, struct buf *subject, struct buf *names)
{
	const X509 *x = SSL_get0_peer_certificate(t->ssl);

	if (x == NULL || SSL_get_verify_result(t->ssl) != X509_V_OK)
		return false;
	if (put_subject(x, subject) && put_names(x, names))
		return true;
	/* A part of it could name somebody else. */
	buf_clear(subject);
	buf_clear(names);
	return false;
}

/* ---- for the log -------------------------------------------------------------------------- */

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
	return SSL_get_cipher_name(t->ssl);
}
