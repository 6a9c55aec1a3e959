/* SPDX-License-Identifier: ISC */
/*
 * certificate - certificates and keys for the unit tests, in a directory of their own
 */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct certificate {
	X509 *x;
	EVP_PKEY *key;
	char file[128], key_file[128];
};

/* What is asked for; the rest has a default. */
struct certificate_wish {
	const char *name;                 /* of the files */
	const char *cn;                   /* of the subject; NULL: it is empty */
	const char *names;                /* "DNS:a.example, email:b@c.example" */
	const struct certificate *issuer; /* NULL: it signs itself */
	const EVP_MD *digest;             /* NULL: SHA-256 */
	const char *curve;                /* NULL: P-256; "ED25519" has no digest */
};

static void certificate_extension(X509 *x, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static void certificate_write(struct certificate *c, const char *dir, const char *name)
{
	FILE *f;

	snprintf(c->file, sizeof c->file, "%s/%s.pem", dir, name);
	snprintf(c->key_file, sizeof c->key_file, "%s/%s.key", dir, name);
	f = fopen(c->file, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, c->x), 1);
	fclose(f);
	f = fopen(c->key_file, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

static void certificate_make(struct certificate *c, const char *dir,
			     const struct certificate_wish *w)
{
	static long serial;
	bool edwards = w->curve != NULL && strcmp(w->curve, "ED25519") == 0;
	const struct certificate *issuer = w->issuer != NULL ? w->issuer : c;
	X509_NAME *subject;

	c->key = edwards ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
			 : EVP_EC_gen(w->curve != NULL ? w->curve : "P-256");
	c->x = X509_new();
	assert_non_null(c->key);
	assert_non_null(c->x);
	X509_set_version(c->x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c->x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(c->x), 3600);
	X509_set_pubkey(c->x, c->key);
	subject = X509_get_subject_name(c->x);
	if (w->cn != NULL)
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					   (const unsigned char *)w->cn, -1, -1, 0);
	X509_set_issuer_name(c->x, X509_get_subject_name(issuer->x));
	if (w->issuer == NULL)
		certificate_extension(c->x, c->x, NID_basic_constraints, "CA:TRUE");
	if (w->names != NULL)
		certificate_extension(c->x, issuer->x, NID_subject_alt_name, w->names);
	assert_true(X509_sign(c->x, issuer->key,
			      edwards             ? NULL
			      : w->digest != NULL ? w->digest
						  : EVP_sha256()) > 0);
	certificate_write(c, dir, w->name);
}

static void certificate_free(struct certificate *c)
{
	remove(c->file);
	remove(c->key_file);
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	*c = (struct certificate){0};
}

#endif
