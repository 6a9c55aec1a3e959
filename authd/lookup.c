/* SPDX-License-Identifier: ISC */
#include "authd/lookup.h"

#include "auth/secret.h"
#include "auth/site_key.h"
#include "authd/user.h"
#include "lib/conn.h"
#include "lib/log.h"

#include <stdio.h>
#include <string.h>

/* What is known while verifiers are put together. */
struct lookup {
	struct judge *judge;
	const struct question *q;
	struct account account;
	struct secret secret;
	bool may; /* there is a secret, and who proves to know it may come in */
	const struct rule *rule;
};

/* is_allowed - by the rule that holds for the user */
static bool is_allowed(const struct lookup *l, enum scram_hash hash)
{
	static const unsigned mechanism[] = {
		[SCRAM_SHA_1] = MECHANISM_BIT(MECHANISM_SCRAM_SHA_1) |
				MECHANISM_BIT(MECHANISM_SCRAM_SHA_1_PLUS),
		[SCRAM_SHA_256] = MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) |
				  MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS),
		[SCRAM_SHA_512] = MECHANISM_BIT(MECHANISM_SCRAM_SHA_512) |
				  MECHANISM_BIT(MECHANISM_SCRAM_SHA_512_PLUS),
	};

	return rule_asks_secret(l->rule) && l->rule->mechanisms & mechanism[hash];
}

/* user_of - canonical where it can be, or else as typed */
static struct str user_of(const struct lookup *l)
{
	return l->account.name.s[0] ? str_of(l->account.name.s) : l->q->user;
}

/* put_fake - of the canonical name, so that no spelling of it looks different */
static int put_fake(const struct lookup *l, enum scram_hash hash, struct buf *out,
		    struct err *e)
{
	struct scram_verifier v = {
		.hash = hash,
		.iterations = (uint32_t)l->judge->set->auth.scram_iterations};
	unsigned char key[SITE_KEY_OCTETS];
	int rc = site_key_derive(l->judge->store, "scram", key, e);

	if (rc == 0)
		rc = scram_fake(key, user_of(l), &v, e);
	if (rc == 0)
		scram_print(&v, out);
	explicit_bzero(key, sizeof key);
	return rc;
}

static int put_all(const struct lookup *l, struct buf *out, struct err *e)
{
	for (int i = 0; i < SCRAM_HASHES; i++) {
		enum scram_hash hash = (enum scram_hash)i;

		if (i > 0)
			buf_putc(out, ' ');
		if (l->may && l->secret.scram[i][0] != '\0' && is_allowed(l, hash))
			buf_put(out, str_of(l->secret.scram[i]));
		else if (put_fake(l, hash, out, e) < 0)
			return -1;
	}
	return 0;
}

static int put_verifiers(struct lookup *l, struct buf *out, struct err *e)
{
	const struct settings *set = l->judge->set;
	enum user_result r = user_find(l->judge->store, l->q->user, &l->account, e);
	bool found = r == USER_FOUND;
	struct err why;

	if (r == USER_FAILED ||
	    (found && secret_read(l->judge->store, &l->account, &l->secret, e) < 0))
		return -1;
	l->rule = rules_find(l->judge->rules, l->q, name_domain_of(&l->account.name));
	l->may = found && user_may_login(&l->account, &why) && l->secret.found &&
		 !secret_is_expired(set, l->secret.set_ms, clock_unix_ms());

	int rc = put_all(l, out, e);

	if (found)
		secret_fini(&l->secret);
	return rc;
}

int lookup_verifiers(struct judge *j, const struct question *q, struct buf *verifiers,
		     struct auth_answer *out)
{
	struct lookup l = {.judge = j, .q = q};
	struct err e;

	if (put_verifiers(&l, verifiers, &e) == 0) {
		must(!buf_over(verifiers));
		out->wait_ms = limiter_look_up(j->limiter, user_of(&l), clock_ms());
		return 0;
	}
	out->result = AUTH_TRY_AGAIN;
	snprintf(out->why, sizeof out->why, "%s", e.text);
	log_event(LOG_LV_ERROR, "auth.failed", kv_s("service", q->service),
		  kv_s("sid", q->sid), kv_s("client", q->client), kv_str("user", q->user),
		  kv_err(&e));
	return -1;
}
