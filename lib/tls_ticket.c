/* SPDX-License-Identifier: ISC */
#include "lib/tls_int.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/*
 * Who learns a ticket's key can read what that ticket's session says over TLS 1.2, so keys
 * live in this process only and not for long: one makes tickets for KEY_SECONDS, and reads
 * them for as long again.  Another process of the same service cannot read them: that costs
 * a handshake.
 */
enum { KEY_SECONDS = 3600, CIPHER_KEY = 32, MAC_KEY = 32, KEY_NAME = 16 };

struct key {
	unsigned char name[KEY_NAME], cipher[CIPHER_KEY], mac[MAC_KEY];
	time_t made; /* 0 = there is none */
};

struct tls_ticket_keys {
	pthread_mutex_t lock;
	struct key now, before;
};

struct tls_ticket_keys *tls_ticket_keys_new(void)
{
	struct tls_ticket_keys *k = xalloc(sizeof *k);

	must(pthread_mutex_init(&k->lock, NULL) == 0);
	return k;
}

void tls_ticket_keys_free(struct tls_ticket_keys **k)
{
	pthread_mutex_destroy(&(*k)->lock);
	OPENSSL_cleanse(*k, sizeof **k);
	xfree(k);
}

static time_t now_seconds(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return t.tv_sec + 1; /* never 0 */
}

static void make(struct key *k, time_t now)
{
	must(RAND_bytes(k->name, KEY_NAME) == 1 &&
	     RAND_priv_bytes(k->cipher, CIPHER_KEY) == 1 &&
	     RAND_priv_bytes(k->mac, MAC_KEY) == 1);
	k->made = now;
}

static void renew(struct tls_ticket_keys *k)
{
	time_t now = now_seconds();

	if (k->now.made != 0 && now - k->now.made < KEY_SECONDS)
		return;
	if (k->now.made != 0 && now - k->now.made < 2 * KEY_SECONDS)
		k->before = k->now;
	else
		OPENSSL_cleanse(&k->before, sizeof k->before);
	make(&k->now, now);
}

/* find - the key to make a ticket with, or the one that `name` was made with; a copy */
static bool find(struct tls_ticket_keys *k, const unsigned char *name, struct key *out,
		 bool *old)
{
	const struct key *found = &k->now;

	pthread_mutex_lock(&k->lock);
	renew(k);
	if (name != NULL && memcmp(name, k->now.name, KEY_NAME) != 0)
		found = &k->before;
	*out = *found;
	pthread_mutex_unlock(&k->lock);
	*old = found == &k->before;
	return out->made != 0 && (name == NULL || memcmp(name, out->name, KEY_NAME) == 0);
}

static bool begin_mac(EVP_MAC_CTX *mac, struct key *k)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, MAC_KEY),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* seal - as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: 1 yes, 0 a full handshake,
 * 2 yes, and make a new ticket, -1 failure */
static int seal(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		EVP_MAC_CTX *mac, int making)
{
	struct tls_ticket_keys *keys = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const EVP_CIPHER *aes = EVP_aes_256_cbc();
	struct key k;
	bool old;
	int rc = 1;

	if (!find(keys, making ? NULL : name, &k, &old))
		return 0;
	if (making) {
		memcpy(name, k.name, KEY_NAME);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1)
			rc = -1;
	}
	if (rc == 1 && (EVP_CipherInit_ex(cipher, aes, NULL, k.cipher, iv, making) != 1 ||
			!begin_mac(mac, &k)))
		rc = -1;
	OPENSSL_cleanse(&k, sizeof k);
	return rc == 1 && old ? 2 : rc;
}

void tls_ticket_keys_use(SSL_CTX *ctx, struct tls_ticket_keys *k)
{
	must(SSL_CTX_set_app_data(ctx, k) == 1);
	must(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, seal) == 1);
}
