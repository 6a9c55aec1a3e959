/* SPDX-License-Identifier: ISC */
#include "authd/change.h"

#include "auth/password_policy.h"
#include "authd/user.h"
#include "lib/log.h"

#include <stdio.h>

struct change {
	struct judge *j;
	const struct question *q;
	struct account account;
	struct secret was;
	struct err e;
};

static void reject(const struct change *c, const char *why, struct auth_answer *out)
{
	out->result = AUTH_REJECTED;
	snprintf(out->why, sizeof out->why, "%s", why);
	log_event(LOG_LV_INFO, "auth.change.rejected", kv_s("service", c->q->service),
		  kv_s("sid", c->q->sid), kv_s("client", c->q->client),
		  kv_s("account", c->account.name.s), kv_s("why", why));
}

static void fail(const struct change *c, struct auth_answer *out)
{
	out->result = AUTH_TRY_AGAIN;
	snprintf(out->why, sizeof out->why, "%s", c->e.text);
	log_event(LOG_LV_ERROR, "auth.change.failed", kv_s("service", c->q->service),
		  kv_s("sid", c->q->sid), kv_s("client", c->q->client),
		  kv_s("account", c->account.name.s), kv_err(&c->e));
}

/* was_overtaken - somebody else was faster, so that the old password is no more */
static bool was_overtaken(const struct change *c)
{
	uint64_t version;
	struct err ignored;

	return secret_version(c->j->store, &c->account, &version, &ignored) == 0 &&
	       version != c->was.version;
}

/* not_done - for the user, where it is his affair */
static void not_done(const struct change *c, struct auth_answer *out)
{
	if (c->e.class == ERR_PERM)
		reject(c, c->e.text, out);
	else if (was_overtaken(c))
		reject(c, "the password was changed by somebody else just now", out);
	else
		fail(c, out);
}

static int store_it(struct change *c)
{
	struct secret_prepared p;

	if (password_policy_check(c->j->store, &c->account, &c->was, c->q->new_password,
				  &c->e) < 0 ||
	    secret_prepare(c->j->set, c->q->new_password, &p, &c->e) < 0)
		return -1;

	int rc = secret_replace(c->j->store, &c->account, &c->was, &p, &c->e);

	secret_prepared_wipe(&p);
	return rc;
}

/* is_here - whether it was the secret that the old password was right for */
static int is_here(struct change *c, bool *here)
{
	*here = false;
	return secret_matches(c->j->store, &c->was, c->q->password, here, &c->e);
}

static void replace(struct change *c, struct auth_answer *out)
{
	bool here;

	if (is_here(c, &here) < 0) {
		fail(c, out);
	} else if (!here) {
		reject(c, "your password is kept elsewhere, and has to be changed there",
		       out);
	} else if (store_it(c) < 0) {
		not_done(c, out);
	} else {
		out->result = AUTH_OK;
		out->uid = c->account.uid;
		snprintf(out->account, sizeof out->account, "%s", c->account.name.s);
		log_event(LOG_LV_INFO, "auth.changed", kv_s("service", c->q->service),
			  kv_s("sid", c->q->sid), kv_s("client", c->q->client),
			  kv_s("account", c->account.name.s));
	}
}

/* proved - that it is the owner who asks */
static void proved(struct change *c, struct auth_answer *out)
{
	/* What stands there is of a login, which this is not. */
	out->account[0] = out->ticket[0] = '\0';
	out->uid = 0;
	if (user_find(c->j->store, c->q->user, &c->account, &c->e) != USER_FOUND) {
		fail(c, out);
		return;
	}
	if (password_policy_may_change(&c->account, &c->e) < 0) {
		reject(c, c->e.text, out);
		return;
	}
	if (secret_read(c->j->store, &c->account, &c->was, &c->e) < 0) {
		fail(c, out);
		return;
	}
	replace(c, out);
	secret_fini(&c->was);
}

void change_password(struct judge *j, const struct question *q, struct auth_answer *out)
{
	struct change c = {.j = j, .q = q};

	judge_password(j, q, out);
	if (out->result == AUTH_OK || out->result == AUTH_EXPIRED)
		proved(&c, out);
}
