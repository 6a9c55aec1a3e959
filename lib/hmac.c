/* SPDX-License-Identifier: ISC */
#include "lib/hmac.h"

#include "lib/openssl.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

enum { INNER = 0x36, OUTER = 0x5c };

static EVP_MD *sha256; /* for as long as the process lives */

static void find_sha256(void)
{
	openssl_begin();
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256 != NULL);
}

/* digest - of the padded key and a text behind it */
static void digest(EVP_MD_CTX *ctx, struct str key, unsigned char pad, struct str text,
		   unsigned char out[HMAC_OCTETS])
{
	unsigned char block[HMAC_KEY_MAX];

	memset(block, pad, sizeof block);
	for (size_t i = 0; i < key.n; i++)
		block[i] ^= (unsigned char)key.p[i];
	must(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 &&
	     EVP_DigestUpdate(ctx, block, sizeof block) == 1 &&
	     EVP_DigestUpdate(ctx, text.p, text.n) == 1 &&
	     EVP_DigestFinal_ex(ctx, out, NULL) == 1);
	explicit_bzero(block, sizeof block);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

void sha256_of(struct str text, unsigned char out[HMAC_OCTETS])
{
	must(pthread_once(&once, find_sha256) == 0 &&
	     EVP_Digest(text.p, text.n, out, NULL, sha256, NULL) == 1);
}

void hmac_sha256(struct str key, struct str text, unsigned char out[HMAC_OCTETS])
{
	unsigned char inner[HMAC_OCTETS];
	EVP_MD_CTX *ctx;

	must(key.n <= HMAC_KEY_MAX && pthread_once(&once, find_sha256) == 0);
	ctx = EVP_MD_CTX_new();
	must(ctx != NULL);
	digest(ctx, key, INNER, text, inner);
	digest(ctx, key, OUTER, (struct str){(const char *)inner, sizeof inner}, out);
	explicit_bzero(inner, sizeof inner);
	EVP_MD_CTX_free(ctx);
}
