/* SPDX-License-Identifier: ISC */
#include "auth/scram.h"

#include "lib/base64.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>
#include <stringprep.h>

static const struct {
	const char *mechanism, *digest;
	size_t octets;
} hashes[] = {
	/* clang-format off */
	[SCRAM_SHA_1]   = {"SCRAM-SHA-1",   "SHA1",     20},
	[SCRAM_SHA_256] = {"SCRAM-SHA-256", "SHA2-256", 32},
	[SCRAM_SHA_512] = {"SCRAM-SHA-512", "SHA2-512", 64},
	/* clang-format on */
};

const char *scram_mechanism(enum scram_hash hash)
{
	return hashes[hash].mechanism;
}

size_t scram_key_octets(enum scram_hash hash)
{
	return hashes[hash].octets;
}

/* ---- preparing ---------------------------------------------------------------------- */

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool scram_prepare(struct str password, struct buf *out)
{
	char text[1024]; /* NFKC makes one character of 3 octets into one of 33 at most */
	bool ok;

	if (str_has_control(password) || password.n == 0 || password.n >= sizeof text)
		return false;
	if (is_ascii(password)) {
		buf_put(out, password);
		return !buf_over(out);
	}
	if (!str_is_utf8(password)) /* which libidn asks for */
		return false;
	memcpy(text, password.p, password.n);
	text[password.n] = '\0';
	ok = stringprep(text, sizeof text, STRINGPREP_NO_UNASSIGNED,
			stringprep_saslprep) == STRINGPREP_OK &&
	     text[0] != '\0';
	if (ok)
		buf_put(out, str_of(text));
	explicit_bzero(text, sizeof text);
	return ok && !buf_over(out);
}

/* ---- making ------------------------------------------------------------------------- */

static bool hmac(const EVP_MD *md, const unsigned char *key, size_t key_n,
		 struct str text, unsigned char *out)
{
	return HMAC(md, key, (int)key_n, (const unsigned char *)text.p, text.n, out,
		    NULL) != NULL;
}

/* derive - RFC 5802 s3: SaltedPassword, ClientKey, StoredKey and ServerKey */
static bool derive(const EVP_MD *md, struct str prepared, struct scram_verifier *v)
{
	unsigned char salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX];
	size_t n = scram_key_octets(v->hash);
	bool ok = PKCS5_PBKDF2_HMAC(prepared.p, (int)prepared.n, v->salt, (int)v->salt_n,
				    (int)v->iterations, md, (int)n, salted) == 1 &&
		  hmac(md, salted, n, STR("Client Key"), client) &&
		  EVP_Digest(client, n, v->stored_key, NULL, md, NULL) == 1 &&
		  hmac(md, salted, n, STR("Server Key"), v->server_key);

	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	return ok;
}

int scram_make(struct str prepared, struct scram_verifier *v, struct err *e)
{
	EVP_MD *md = EVP_MD_fetch(NULL, hashes[v->hash].digest, NULL);
	bool ok = md != NULL && derive(md, prepared, v);

	EVP_MD_free(md);
	return ok ? 0
		  : err_set(e, ERR_TEMP, "4.3.0", "libcrypto made no verifier for %s",
			    scram_mechanism(v->hash));
}

int scram_new(struct str prepared, struct scram_verifier *v, struct err *e)
{
	v->salt_n = SCRAM_SALT_OCTETS;
	if (RAND_bytes(v->salt, (int)v->salt_n) != 1)
		return err_set(e, ERR_TEMP, "4.3.0", "libcrypto made no salt");
	return scram_make(prepared, v, e);
}

/* fake - octets that nothing tells from random ones, others for each use */
static bool fake(const EVP_MD *md, const unsigned char *key, struct str name,
		 const char *use, unsigned char out[SCRAM_KEY_MAX])
{
	struct buf text;
	bool ok;

	buf_init(&text, name.n + 32);
	buf_printf(&text, "%s ", use);
	buf_put(&text, name);
	ok = hmac(md, key, SCRAM_FAKE_KEY, buf_str(&text), out);
	buf_fini(&text);
	return ok;
}

int scram_fake(const unsigned char key[SCRAM_FAKE_KEY], struct str name,
	       struct scram_verifier *v, struct err *e)
{
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-512", NULL);
	unsigned char salt[SCRAM_KEY_MAX];
	/* Each hash has a salt of its own, as real ones do. */
	bool ok = md != NULL && fake(md, key, name, scram_mechanism(v->hash), salt) &&
		  fake(md, key, name, "stored", v->stored_key) &&
		  fake(md, key, name, "server", v->server_key);

	EVP_MD_free(md);
	if (!ok)
		return err_set(e, ERR_TEMP, "4.3.0", "libcrypto made no verifier");
	v->salt_n = SCRAM_SALT_OCTETS;
	memcpy(v->salt, salt, v->salt_n);
	return 0;
}

/* ---- text --------------------------------------------------------------------------- */

static struct str octets(const unsigned char *p, size_t n)
{
	return (struct str){(const char *)p, n};
}

void scram_print(const struct scram_verifier *v, struct buf *out)
{
	size_t n = scram_key_octets(v->hash);

	buf_printf(out, "%s$%u:", scram_mechanism(v->hash), (unsigned)v->iterations);
	base64_encode(octets(v->salt, v->salt_n), out);
	buf_putc(out, '$');
	base64_encode(octets(v->stored_key, n), out);
	buf_putc(out, ':');
	base64_encode(octets(v->server_key, n), out);
}

/* take - the octets of a base64 text; their number, 0: not well formed, or more than max */
static size_t take(struct str text, unsigned char *out, size_t max)
{
	struct buf b;
	size_t n = 0;

	buf_init_secret(&b, max);
	if (base64_decode(text, &b) && !buf_over(&b)) {
		n = b.n;
		memcpy(out, buf_str(&b).p, n);
	}
	buf_fini_secret(&b);
	return n;
}

static bool parse_hash(struct str name, enum scram_hash *out)
{
	for (size_t i = 0; i < countof(hashes); i++) {
		if (str_eq(name, str_of(hashes[i].mechanism))) {
			*out = (enum scram_hash)i;
			return true;
		}
	}
	return false;
}

bool scram_parse(struct str text, struct scram_verifier *out)
{
	struct str mechanism = str_cut(&text, '$'), keys = text;
	struct str salt = str_cut(&keys, '$');
	struct str iterations = str_cut(&salt, ':');
	struct str stored = str_cut(&keys, ':');

	*out = (struct scram_verifier){0};
	if (!parse_hash(mechanism, &out->hash) ||
	    !str_u32(iterations, &out->iterations) || out->iterations == 0 ||
	    out->iterations > SCRAM_ITERATIONS_MAX)
		return false;

	size_t n = scram_key_octets(out->hash);

	out->salt_n = take(salt, out->salt, sizeof out->salt);
	return out->salt_n > 0 &&
	       take(stored, out->stored_key, sizeof out->stored_key) == n &&
	       take(keys, out->server_key, sizeof out->server_key) == n;
}
