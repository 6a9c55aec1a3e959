/* SPDX-License-Identifier: ISC */
#include "auth/secret_int.h"

#include "auth/scheme.h"
#include "store/store.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* ---- turns: memory-hard hashes must not add up (P9) --------------------------- */

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_free = PTHREAD_COND_INITIALIZER;
static long turns_taken;

static void turn_take(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	must(pthread_mutex_lock(&turn_lock) == 0);
	while (turns_taken > 0 && turns_taken >= cores)
		must(pthread_cond_wait(&turn_free, &turn_lock) == 0);
	turns_taken++;
	must(pthread_mutex_unlock(&turn_lock) == 0);
}

static void turn_give(void)
{
	must(pthread_mutex_lock(&turn_lock) == 0);
	turns_taken--;
	must(pthread_cond_signal(&turn_free) == 0);
	must(pthread_mutex_unlock(&turn_lock) == 0);
}

/* ---- crypt(3) ----------------------------------------------------------------------- */

/* hash_with - of a password that secret_password_check() passed; false when libxcrypt does
 * not know the setting */
static bool hash_with(struct str password, const char *setting, char out[SECRET_HASH_MAX])
{
	struct crypt_data *data = xalloc(sizeof *data); /* 32 KiB: not for the stack */
	char phrase[PASSWORD_MAX + 1];

	must(password.n < sizeof phrase);
	if (password.n > 0)
		memcpy(phrase, password.p, password.n);
	phrase[password.n] = '\0';

	turn_take();
	const char *hash = crypt_rn(phrase, setting, data, (int)sizeof *data);
	turn_give();

	bool ok = hash != NULL && strlen(hash) < SECRET_HASH_MAX;

	if (ok)
		memcpy(out, hash, strlen(hash) + 1);
	explicit_bzero(phrase, sizeof phrase);
	explicit_bzero(data, sizeof *data);
	xfree(&data);
	return ok;
}

static int new_setting(const struct settings *set, char out[CRYPT_GENSALT_OUTPUT_SIZE],
		       struct err *e)
{
	if (crypt_gensalt_rn("$y$", set->auth.yescrypt_cost, NULL, 0, out,
			     CRYPT_GENSALT_OUTPUT_SIZE) == NULL)
		return err_sys(e, "make a salt of cost %u",
			       (unsigned)set->auth.yescrypt_cost);
	return 0;
}

int secret_password_check(struct str password, struct err *e)
{
	if (password.n == 0)
		return err_set(e, ERR_PERM, "5.7.0", "the password is empty");
	if (password.n > PASSWORD_MAX)
		return err_set(e, ERR_PERM, "5.7.0",
			       "the password is longer than %d octets", PASSWORD_MAX);
	if (str_has_control(password))
		return err_set(e, ERR_PERM, "5.7.0",
			       "the password holds a control octet");
	return 0;
}

int secret_hash_new(const struct settings *set, struct str password,
		    char out[SECRET_HASH_MAX], struct err *e)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (secret_password_check(password, e) < 0 || new_setting(set, setting, e) < 0)
		return -1;
	if (!hash_with(password, setting, out))
		return err_set(e, ERR_TEMP, "4.3.0", "crypt(3) made no yescrypt hash");
	return 0;
}

/* spend - the time of a hash at the configured cost */
static void spend(const struct settings *set, struct str password)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], hash[SECRET_HASH_MAX];
	struct err ignored;

	/* A hash to compare with is not needed, and making one would cost twice
	 * the time: a fresh salt does. */
	if (password.n > PASSWORD_MAX)
		password.n = PASSWORD_MAX;
	if (new_setting(set, setting, &ignored) == 0)
		hash_with(password, setting, hash);
	explicit_bzero(hash, sizeof hash);
}

/* ---- checking ----------------------------------------------------------------------- */

static bool is_yescrypt(const char *hash)
{
	return str_starts(str_of(hash), STR("$y$"));
}

static bool digest_matches(const char *hash, struct str password, bool *match)
{
	struct scheme x;
	struct err ignored;
	bool ok =
		scheme_parse(str_of(hash), &x, &ignored) == 0 && x.kind == SCHEME_DIGEST;

	*match = ok && scheme_matches(&x, password);
	explicit_bzero(&x, sizeof x);
	return ok;
}

static bool crypt_matches(const char *hash, struct str password, bool *match)
{
	char computed[SECRET_HASH_MAX];
	bool ok = hash_with(password, hash, computed);
	size_t n = strlen(hash);

	*match = ok && strlen(computed) == n && CRYPTO_memcmp(hash, computed, n) == 0;
	explicit_bzero(computed, sizeof computed);
	return ok;
}

int secret_hash_matches(const struct settings *set, const char *hash, struct str password,
			bool *match, struct err *e)
{
	struct err ignored;
	bool known = true;

	*match = false;
	if (secret_password_check(password, &ignored) < 0) {
		if (set != NULL)
			spend(set, password);
		return 0;
	}
	known = hash[0] == '{' ? digest_matches(hash, password, match)
			       : crypt_matches(hash, password, match);
	if (!is_yescrypt(hash) && set != NULL)
		spend(set, password);
	return known ? 0
		     : err_set(e, ERR_TEMP, "4.3.0", "nobody knows a hash of its kind");
}

void secret_check_nobody(struct store *s, struct str password)
{
	spend(store_settings(s), password);
}

/* ---- what is weaker than the settings ask for ---------------------------------------- */

static unsigned itoa64(char c)
{
	static const char digits[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (unsigned)(at - digits) : 64;
}

/* weight - the memory of a yescrypt hash in blocks: r * 2^N of "$y$jNr$"; UINT64_MAX for
 * what nobody here makes */
static uint64_t weight(const char *hash)
{
	unsigned n, r;

	if (!str_starts(str_of(hash), STR("$y$j")))
		return UINT64_MAX;
	n = itoa64(hash[4]);
	r = n < 64 ? itoa64(hash[5]) : 64;
	return r < 64 && n < 48 && hash[6] == '$' ? (uint64_t)(r + 1) << (n + 1)
						  : UINT64_MAX;
}

bool secret_hash_is_weak(const struct settings *set, const char *hash)
{
	static const char salt[16];
	char configured[CRYPT_GENSALT_OUTPUT_SIZE];

	if (!is_yescrypt(hash))
		return true;
	/* The salt does not matter here. */
	return crypt_gensalt_rn("$y$", set->auth.yescrypt_cost, salt, sizeof salt,
				configured, sizeof configured) != NULL &&
	       weight(hash) < weight(configured);
}

bool secret_scram_is_weak(const struct settings *set, const struct secret *x)
{
	struct scram_verifier v;
	bool weak = false;

	if (x->scram_none)
		return false;
	for (size_t i = 0; i < SCRAM_HASHES; i++)
		weak |= !scram_parse(str_of(x->scram[i]), &v) ||
			v.iterations < set->auth.scram_iterations;
	explicit_bzero(&v, sizeof v);
	return weak;
}

/* ---- what is made of a password ------------------------------------------------------- */

static int print_verifier(const struct scram_verifier *v, char out[SCRAM_TEXT_MAX])
{
	struct buf b;

	buf_init_secret(&b, SCRAM_TEXT_MAX - 1);
	scram_print(v, &b);
	must(!buf_over(&b));
	memcpy(out, b.p, b.n + 1);
	buf_fini_secret(&b);
	return 0;
}

static int new_verifiers(const struct settings *set, struct str prepared,
			 char out[SCRAM_HASHES][SCRAM_TEXT_MAX], struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < SCRAM_HASHES; i++) {
		struct scram_verifier v = {
			.hash = (enum scram_hash)i,
			.iterations = (uint32_t)set->auth.scram_iterations,
		};

		rc = scram_new(prepared, &v, e);
		if (rc == 0)
			print_verifier(&v, out[i]);
		explicit_bzero(&v, sizeof v);
	}
	return rc;
}

int secret_scram_new(const struct settings *set, struct str password,
		     char out[SCRAM_HASHES][SCRAM_TEXT_MAX], bool *none, struct err *e)
{
	struct buf prepared;
	int rc = 0;

	buf_init_secret(&prepared, 1024);
	*none = !scram_prepare(password, &prepared);
	for (size_t i = 0; i < SCRAM_HASHES; i++)
		out[i][0] = '\0';
	if (!*none)
		rc = new_verifiers(set, buf_str(&prepared), out, e);
	buf_fini_secret(&prepared);
	return rc;
}

int secret_prepare(const struct settings *set, struct str password,
		   struct secret_prepared *out, struct err *e)
{
	*out = (struct secret_prepared){0};
	if (secret_hash_new(set, password, out->hash, e) < 0 ||
	    secret_scram_new(set, password, out->scram, &out->scram_none, e) < 0) {
		secret_prepared_wipe(out);
		return -1;
	}
	memcpy(out->password, password.p, password.n);
	out->password[password.n] = '\0';
	return 0;
}

int secret_prepare_hash(const struct settings *set, struct str hash,
			struct secret_prepared *out, struct err *e)
{
	struct scheme x;
	struct buf text;
	int rc = scheme_parse(hash, &x, e);

	*out = (struct secret_prepared){0};
	if (rc == 0 && x.kind == SCHEME_PLAIN) {
		rc = secret_prepare(set, x.value, out, e);
	} else if (rc == 0) {
		buf_init_secret(&text, SECRET_HASH_MAX - 1);
		scheme_print(&x, &text);
		must(!buf_over(&text));
		memcpy(out->hash, text.p, text.n + 1);
		buf_fini_secret(&text);
	}
	explicit_bzero(&x, sizeof x);
	return rc;
}

void secret_prepared_wipe(struct secret_prepared *p)
{
	explicit_bzero(p, sizeof *p);
}
