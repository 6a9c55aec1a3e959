/* SPDX-License-Identifier: ISC */
#include "auth/site_key.h"

#include "lib/base64.h"
#include "lib/conn.h"
#include "store/record.h"
#include "store/storage.h"
#include "store/store.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

static const char path[] = "secrets/site-key";
static const char kind[] = "popstore-site-key";

enum { FILE_MAX = 1024 };

/* ---- the file ----------------------------------------------------------------------- */

static int parse(struct str text, unsigned char key[SITE_KEY_OCTETS], struct err *e)
{
	struct buf digits, octets;

	if (record_check(text, kind, path, e) < 0)
		return -1;
	buf_init_secret(&digits, BASE64_OCTETS(SITE_KEY_OCTETS));
	buf_init_secret(&octets, SITE_KEY_OCTETS);

	bool ok = record_get(text, "key", &digits) && !buf_over(&digits) &&
		  base64_decode(buf_str(&digits), &octets) && octets.n == SITE_KEY_OCTETS;

	if (ok)
		memcpy(key, octets.p, SITE_KEY_OCTETS);
	buf_fini_secret(&octets);
	buf_fini_secret(&digits);
	return ok ? 0
		  : err_set(e, ERR_TEMP, "4.3.0", "%s is damaged: it has no key", path);
}

static int read_key(struct store *s, unsigned char key[SITE_KEY_OCTETS], bool *found,
		    struct err *e)
{
	struct buf text;

	buf_init_secret(&text, FILE_MAX);

	int rc = storage_read(store_root(s), path, &text, found, e);

	if (rc == 0)
		rc = *found ? parse(buf_str(&text), key, e)
			    : store_has_tree(s, "secrets", e);
	buf_fini_secret(&text);
	return rc;
}

/* make - unless somebody else did meanwhile */
static int make(struct store *s, struct err *e)
{
	unsigned char key[SITE_KEY_OCTETS];
	struct record_writer w;
	struct buf digits;
	bool existed;

	if (RAND_priv_bytes(key, sizeof key) != 1)
		return err_set(e, ERR_TEMP, "4.3.0", "libcrypto made no key");
	buf_init_secret(&digits, BASE64_OCTETS(sizeof key));
	base64_encode((struct str){(const char *)key, sizeof key}, &digits);
	record_begin(&w, kind);
	record_put_u64(&w, "made", clock_unix_ms());
	record_put(&w, "key", buf_str(&digits));

	int rc = storage_put(store_root(s), path, record_finish(&w),
			     STORAGE_EXCLUSIVE | STORAGE_DURABLE, &existed, e);

	record_fini(&w);
	buf_fini_secret(&digits);
	explicit_bzero(key, sizeof key);
	return rc;
}

/* ---- uses --------------------------------------------------------------------------- */

static int expand(const unsigned char key[SITE_KEY_OCTETS], const char *use,
		  unsigned char out[SITE_KEY_OCTETS], struct err *e)
{
	unsigned char octets[SITE_KEY_OCTETS];
	char info[64], digest[] = "SHA2-256";
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;

	memcpy(octets, key, sizeof octets);
	snprintf(info, sizeof info, "popstore %s", use);

	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, octets,
						  sizeof octets),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info,
						  strlen(info)),
		OSSL_PARAM_construct_end(),
	};
	bool ok = c != NULL && EVP_KDF_derive(c, out, SITE_KEY_OCTETS, params) == 1;

	explicit_bzero(octets, sizeof octets);
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	return ok ? 0 : err_set(e, ERR_TEMP, "4.3.0", "libcrypto derived no key");
}

int site_key_find(struct store *s, const char *use, unsigned char out[SITE_KEY_OCTETS],
		  bool *found, struct err *e)
{
	unsigned char key[SITE_KEY_OCTETS];
	int rc = read_key(s, key, found, e);

	if (rc == 0 && *found)
		rc = expand(key, use, out, e);
	explicit_bzero(key, sizeof key);
	return rc;
}

int site_key_derive(struct store *s, const char *use, unsigned char out[SITE_KEY_OCTETS],
		    struct err *e)
{
	bool found;

	if (site_key_find(s, use, out, &found, e) < 0)
		return -1;
	if (found)
		return 0;
	if (make(s, e) < 0 || site_key_find(s, use, out, &found, e) < 0)
		return -1;
	return found ? 0 : err_set(e, ERR_TEMP, "4.3.0", "%s is gone again", path);
}
