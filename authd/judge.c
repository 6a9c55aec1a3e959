/* SPDX-License-Identifier: ISC */
#include "authd/judge.h"

#include "auth/secret.h"
#include "authd/attempt.h"
#include "authd/exchange.h"
#include "authd/plugin.h"
#include "lib/log.h"
#include "lib/server.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* ---- start and end ------------------------------------------------------------------ */

static void read_trusted(struct judge *j)
{
	const struct conf_list *list = &j->set->auth.trusted_networks;

	j->trusted = xalloc((list->n + 1) * sizeof *j->trusted);
	for (size_t i = 0; i < list->n; i++)
		must(network_parse(str_of(list->v[i]), &j->trusted[i]));
}

static int read_key(struct judge *j, struct err *e)
{
	int fd;

	j->has_key = server_inherited("ticket", &fd, 1) > 0;
	return j->has_key ? ticket_key_read(fd, &j->key, e) : 0;
}

int judge_init(struct judge *j, const struct settings *set, struct store *store,
	       struct err *e)
{
	*j = (struct judge){.set = set, .store = store};
	if (read_key(j, e) < 0 || rules_new(set, &j->rules, e) < 0)
		return -1;
	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	if (plugin_begin(set, j->rules, exchange_look_up, e) < 0) {
		rules_free(&j->rules);
		return -1;
	}
	j->mechanisms = plugin_mechanisms();
	if (set->auth.certificate_name == CERTIFICATE_NONE)
		j->mechanisms &= ~MECHANISM_BIT(MECHANISM_EXTERNAL);
	else
		j->mechanisms |= MECHANISM_BIT(MECHANISM_EXTERNAL);
	if (set->auth.keytab[0] == '\0')
		j->mechanisms &= ~MECHANISM_BIT(MECHANISM_GSSAPI);
	read_trusted(j);
	j->limiter = limiter_new((uint32_t)(set->auth.user_delay_s * 1000));
	if (set->auth.cache_time_s > 0)
		j->cache = cache_new(set->auth.cache_entries);
	return 0;
}

void judge_fini(struct judge *j)
{
	cache_free(&j->cache);
	limiter_free(&j->limiter);
	xfree(&j->trusted);
	plugin_end();
	curl_global_cleanup();
	rules_free(&j->rules);
	explicit_bzero(&j->key, sizeof j->key);
}

/* ---- what may be used --------------------------------------------------------------- */

/* may_send_password - in clear text, on this connection */
static bool may_send_password(const struct settings *set, const struct question *q)
{
	return q->tls || settings_allow_clear(set, q->loopback);
}

static bool has_needs(const struct judge *j, const struct question *q, unsigned needs,
		      struct err *e)
{
	const char *why = NULL;

	if (needs & NEEDS_CLEAR_TEXT && !may_send_password(j->set, q))
		why = "a password in clear text without TLS";
	else if (needs & NEEDS_BINDING && q->exporter.n == 0 && q->end_point.n == 0)
		why = "the channel has nothing to be bound to";
	else if (needs & NEEDS_CERTIFICATE && q->subject.n == 0 && q->n_names == 0)
		why = "the client has shown no certificate";
	return why == NULL || err_set(e, ERR_PERM, "5.7.8", "%s", why) == 0;
}

bool judge_has_mechanism(struct judge *j, const struct question *q, unsigned mechanism,
			 struct err *e)
{
	unsigned set = rules_mechanisms(j->rules, q) & j->mechanisms;

	if ((set & MECHANISM_BIT(mechanism)) == 0) {
		err_set(e, ERR_PERM, "5.7.8", "the mechanism is not to be had here");
		return false;
	}
	return has_needs(j, q, mechanisms[mechanism].needs, e);
}

void judge_offer(struct judge *j, const struct question *q, struct auth_offer *out)
{
	struct err ignored;
	size_t n = 0;

	*out = (struct auth_offer){.any_client = !rules_ask_client(j->rules)};
	for (unsigned i = 0; i < MECHANISMS; i++) {
		if (!judge_has_mechanism(j, q, i, &ignored))
			continue;
		if (i == MECHANISM_PASS)
			out->password = true;
		else if (i == MECHANISM_APOP)
			out->apop = true;
		else
			n += (size_t)snprintf(out->mechanisms + n,
					      sizeof out->mechanisms - n, "%s%s",
					      n ? " " : "", mechanisms[i].name);
	}
	must(n < sizeof out->mechanisms);
}

/* ---- passwords ---------------------------------------------------------------------- */

void judge_password(struct judge *j, const struct question *q, struct auth_answer *out)
{
	struct attempt t;

	if (attempt_begin(&t, j, q, MECHANISM_PASS, out))
		attempt_password(&t, q->password, out);
}

/* ---- APOP (RFC 1939 s7) ------------------------------------------------------------- */

enum { DIGEST_HEX = 32 };

static void digest_of(struct str challenge, struct str password, char out[DIGEST_HEX + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned n = 0;

	must(ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, challenge.p, challenge.n) == 1 &&
	     EVP_DigestUpdate(ctx, password.p, password.n) == 1 &&
	     EVP_DigestFinal_ex(ctx, sum, &n) == 1 && n * 2 == DIGEST_HEX);
	EVP_MD_CTX_free(ctx);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

/* has_proof - for a user without such a secret a digest is made, too */
static int has_proof(struct judge *j, const struct account *a, bool *proof,
		     const struct question *q, struct err *e)
{
	char digest[DIGEST_HEX + 1];
	struct secret secret;
	struct buf password;
	bool sealed = false;
	int rc = 0;

	*proof = false;
	if (a != NULL && secret_read(j->store, a, &secret, e) < 0)
		return -1;
	buf_init_secret(&password, PASSWORD_MAX);
	if (a != NULL) {
		sealed = secret.found && secret.recoverable && secret.sealed[0] != '\0';
		if (sealed)
			rc = secret_open_sealed(j->store, a, &secret, &password, e);
		secret_fini(&secret);
	}
	digest_of(q->challenge, buf_str(&password), digest);
	*proof = rc == 0 && sealed && q->digest.n == DIGEST_HEX &&
		 CRYPTO_memcmp(q->digest.p, digest, DIGEST_HEX) == 0;
	buf_fini_secret(&password);
	return rc;
}

void judge_apop(struct judge *j, const struct question *q, struct auth_answer *out)
{
	struct attempt t;
	struct account a;
	struct err e = {0};
	bool proof;

	if (!attempt_begin(&t, j, q, MECHANISM_APOP, out))
		return;

	enum user_result r = attempt_find_secret(&t, &a, &e);

	if (r == USER_FAILED ||
	    has_proof(j, r == USER_FOUND ? &a : NULL, &proof, q, &e) < 0) {
		attempt_fail(&t, &e, out);
	} else if (!proof) {
		if (e.class == ERR_NONE)
			err_set(&e, ERR_PERM, "5.7.8", "wrong digest");
		attempt_refuse(&t, &e, out);
	} else {
		attempt_proof(&t, out);
	}
}
