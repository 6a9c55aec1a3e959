/* SPDX-License-Identifier: ISC */
#include "auth/seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

static const unsigned char *octets(struct str s)
{
	return (const unsigned char *)s.p;
}

/* begin - key, nonce and context; NULL: libcrypto would not */
static EVP_CIPHER_CTX *begin(const unsigned char *key, const unsigned char *nonce,
			     struct str context, bool sealing)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;

	if (c != NULL &&
	    EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, sealing) == 1 &&
	    EVP_CipherUpdate(c, NULL, &n, octets(context), (int)context.n) == 1)
		return c;
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

/* encrypt - text and tag, into `to` */
static bool encrypt(EVP_CIPHER_CTX *c, struct str text, unsigned char *to)
{
	unsigned char none[16];
	int n;

	return EVP_CipherUpdate(c, to, &n, octets(text), (int)text.n) == 1 &&
	       n == (int)text.n && EVP_CipherFinal_ex(c, none, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, SEAL_TAG, to + text.n) == 1;
}

int seal_make(const unsigned char key[SEAL_KEY], struct str context, struct str text,
	      struct buf *out, struct err *e)
{
	unsigned char *to = (unsigned char *)buf_reserve(out, text.n + SEAL_MORE);
	EVP_CIPHER_CTX *c = NULL;
	bool ok = false;

	if (to != NULL && RAND_bytes(to, SEAL_NONCE) == 1)
		c = begin(key, to, context, true);
	if (c != NULL)
		ok = encrypt(c, text, to + SEAL_NONCE);
	EVP_CIPHER_CTX_free(c);
	if (!ok)
		return err_set(e, ERR_TEMP, "4.3.0", "libcrypto sealed nothing");
	buf_used(out, text.n + SEAL_MORE);
	return 0;
}

/* decrypt - n octets at `from` with their tag behind them */
static bool decrypt(EVP_CIPHER_CTX *c, const unsigned char *from, size_t n,
		    unsigned char *to)
{
	unsigned char tag[SEAL_TAG], none[16];
	int got;

	for (size_t i = 0; i < sizeof tag; i++)
		tag[i] = from[n + i];
	return EVP_CipherUpdate(c, to, &got, from, (int)n) == 1 && got == (int)n &&
	       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, SEAL_TAG, tag) == 1 &&
	       EVP_CipherFinal_ex(c, none, &got) == 1;
}

bool seal_open(const unsigned char key[SEAL_KEY], struct str context, struct str sealed,
	       struct buf *out)
{
	EVP_CIPHER_CTX *c;
	unsigned char *to;
	bool ok = false;

	if (sealed.n < SEAL_MORE)
		return false;

	size_t n = sealed.n - SEAL_MORE;

	to = (unsigned char *)buf_reserve(out, n);
	c = to ? begin(key, octets(sealed), context, false) : NULL;
	if (c != NULL)
		ok = decrypt(c, octets(sealed) + SEAL_NONCE, n, to);
	EVP_CIPHER_CTX_free(c);
	if (ok)
		buf_used(out, n);
	return ok;
}
