/* SPDX-License-Identifier: ISC */
#include "authd/attempt.h"

#include "auth/secret.h"
#include "lib/conn.h"
#include "lib/log.h"
#include "lib/server.h"
#include "store/folder.h"

#include <stdio.h>
#include <string.h>

enum { ELSEWHERE_MS = 5 * 60 * 1000 }; /* how long another source's yes is remembered */

/* ---- turns -------------------------------------------------------------------------- */

/* who_of - a network that is trusted, or none, has no line */
static struct limiter_who who_of(const struct attempt *t)
{
	const struct judge *j = t->judge;
	struct limiter_who w = {.user = t->user};
	struct network_address address;

	if (t->name.s[0] != '\0')
		w.user = str_of(t->name.s);
	if (!t->q->loopback && network_parse_address(str_of(t->q->client), &address) &&
	    !network_any_has(j->trusted, j->set->auth.trusted_networks.n, &address)) {
		w.has_network = true;
		w.network = network_around(&address);
	}
	return w;
}

static void end_turn(struct attempt *t, bool ok, struct auth_answer *out)
{
	struct limiter_who who = who_of(t);

	if (t->has_turn)
		out->wait_ms =
			limiter_end(t->judge->limiter, &who, &t->turn, ok, clock_ms());
	t->has_turn = false;
}

/* ---- ends --------------------------------------------------------------------------- */

static void log_end(const struct attempt *t, enum log_level level, const char *event,
		    const struct err *e)
{
	log_event(level, event, kv_s("service", t->q->service), kv_s("sid", t->q->sid),
		  kv_s("client", t->q->client), kv_str("user", t->user),
		  kv_s("mechanism", mechanisms[t->mechanism].name), kv_err(e));
}

void attempt_refuse(struct attempt *t, const struct err *why, struct auth_answer *out)
{
	out->result = AUTH_REFUSED;
	end_turn(t, false, out);
	log_end(t, LOG_LV_WARN, "auth.refused", why);
}

/* attempt_fail - it counts as no try, unless its turn is over: nothing was learnt from it */
void attempt_fail(struct attempt *t, const struct err *why, struct auth_answer *out)
{
	struct limiter_who who = who_of(t);

	out->result = AUTH_TRY_AGAIN;
	snprintf(out->why, sizeof out->why, "%s", why->text);
	if (t->has_turn)
		limiter_undo(t->judge->limiter, &who, clock_ms());
	t->has_turn = false;
	log_end(t, LOG_LV_ERROR, "auth.failed", why);
}

/* sign - for the session processes, which hand out mail and scripts; nobody else needs to be
 * told */
static void sign(const struct attempt *t, struct auth_answer *out)
{
	struct ticket ticket = {.account = str_of(out->account),
				.sid = str_of(t->q->sid),
				.uid = out->uid,
				.profile = t->profile_stamp};

	if (t->judge->has_key &&
	    (strcmp(t->q->service, "pop3") == 0 || strcmp(t->q->service, "sieve") == 0))
		ticket_sign(&t->judge->key, &ticket, clock_unix_ms(), out->ticket);
}

/* takes_folders - POP3 alone: for all others a user is one, and not some part of him */
static bool takes_folders(const struct attempt *t)
{
	return strcmp(t->q->service, "pop3") == 0;
}

/* refuse_folder - to its owner, so that it counts as no try that failed */
static void refuse_folder(struct attempt *t, struct auth_answer *out)
{
	struct err why;

	err_set(&why, ERR_PERM, "5.7.8", "the account has no such folder");
	out->result = AUTH_REFUSED;
	end_turn(t, true, out);
	log_end(t, LOG_LV_WARN, "auth.refused", &why);
}

/* choose_folder - false: it is answered already */
static bool choose_folder(struct attempt *t, const struct account *a,
			  struct account *folder, struct auth_answer *out)
{
	struct err e;
	bool found;

	if (folder_find(t->judge->store, a, t->folder, folder, &found, &e) < 0) {
		attempt_fail(t, &e, out);
		return false;
	}
	if (!found)
		refuse_folder(t, out);
	t->profile_stamp = 0; /* that of the account's profile, not of the folder's */
	return found;
}

/* accept - of an account that was proved; what is against it is said now and not before */
static void accept(struct attempt *t, const struct account *a, bool expired,
		   struct auth_answer *out)
{
	struct account folder;
	struct err e;

	if (!user_may_login(a, &e)) {
		attempt_refuse(t, &e, out);
		return;
	}
	if (t->folder.n > 0 && !expired) {
		if (!choose_folder(t, a, &folder, out))
			return;
		a = &folder;
	}
	out->result = expired ? AUTH_EXPIRED : AUTH_OK;
	out->uid = a->uid;
	snprintf(out->account, sizeof out->account, "%s", a->name.s);
	if (!expired)
		sign(t, out);
	end_turn(t, true, out);
}

bool attempt_begin(struct attempt *t, struct judge *j, const struct question *q,
		   unsigned mechanism, struct auth_answer *out)
{
	struct limiter_who who;
	struct err e;

	*t = (struct attempt){
		.judge = j, .q = q, .mechanism = mechanism, .user = q->user};
	who = who_of(t);
	if (!judge_has_mechanism(j, q, mechanism, &e)) {
		attempt_refuse(t, &e, out);
		return false;
	}
	t->has_turn = limiter_begin(j->limiter, &who, clock_ms(), &t->turn);
	if (!t->has_turn) {
		err_set(&e, ERR_TEMP, "4.7.0", "too many tries from its network");
		out->result = AUTH_TRY_AGAIN;
		snprintf(out->why, sizeof out->why, "%s", e.text);
		log_end(t, LOG_LV_WARN, "auth.limited", &e);
	}
	return t->has_turn;
}

/* ---- the user ----------------------------------------------------------------------- */

enum user_result attempt_find(struct attempt *t, struct account *a,
			      const struct rule **rule, struct err *e)
{
	struct judge *j = t->judge;
	enum user_result r =
		takes_folders(t) ? user_find_folder(j->store, t->user, a, &t->folder, e)
				 : user_find(j->store, t->user, a, e);

	t->name = a->name;
	*rule = rules_find(j->rules, t->q, name_domain_of(&t->name));
	if (r == USER_FAILED || (*rule)->mechanisms & MECHANISM_BIT(t->mechanism))
		return r;
	err_set(e, ERR_PERM, "5.7.8", "the rules do not allow the mechanism");
	return USER_UNKNOWN;
}

enum user_result attempt_find_secret(struct attempt *t, struct account *a, struct err *e)
{
	const struct rule *rule;
	enum user_result r = attempt_find(t, a, &rule, e);

	if (r != USER_FOUND || rule_asks_secret(rule))
		return r;
	err_set(e, ERR_PERM, "5.7.8", "the rules do not ask the secret");
	return USER_UNKNOWN;
}

/* ---- passwords ---------------------------------------------------------------------- */

/* What is known of a password, while the sources are asked. */
struct check {
	struct attempt *t;
	struct account account;
	const struct rule *rule;
	bool found; /* account is one */
	struct secret secret;
	struct str password;
	bool expired;
	const struct source *by; /* who said yes */
	bool refused;            /* somebody said no */
	struct err failed;       /* a source that did not answer */
	/* Of profile and secret, taken before they were read; 0: it cannot be told. */
	uint64_t profile_stamp, secret_stamp;
	bool remembered; /* what the rule's first source has said: */
	struct cache_value value;
};

/* key_of - a yes is that of its source: another rule may not have it */
static void key_of(const struct check *c, const struct source *s, struct buf *key)
{
	buf_init(key, NAME_OCTETS + SOURCE_TEXT + 1);
	buf_printf(key, "%s %s", c->account.name.s, s->text);
}

/* may_remember - of who is refused all the same nothing is remembered, and nothing written:
 * by the time that it takes, or spares, a refusal would tell that the password was right */
static bool may_remember(const struct check *c)
{
	struct err ignored;

	return c->found && user_may_login(&c->account, &ignored);
}

static bool look_up(const struct check *c, const struct source *s, struct cache_value *v)
{
	struct buf key;
	bool found;

	key_of(c, s, &key);
	found = cache_find(c->t->judge->cache, buf_str(&key), c->password, clock_ms(), v);
	buf_fini(&key);
	return found;
}

static bool is_cached(const struct check *c, const struct source *s)
{
	struct cache_value v = c->value;
	bool found = c->remembered;

	if (c->t->judge->cache == NULL || !may_remember(c))
		return false;
	if (s != &c->rule->sources[0])
		found = look_up(c, s, &v);
	return found && v.uid == c->account.uid && v.version == c->secret.version;
}

static void put(const struct check *c, uint64_t version, uint64_t until_ms)
{
	const struct cache_value v = {.uid = c->account.uid,
				      .flags = c->account.flags,
				      .version = version,
				      .set_ms = c->secret.set_ms,
				      .profile_stamp = c->profile_stamp,
				      .secret_stamp = c->secret_stamp};
	struct buf key;

	key_of(c, c->by, &key);
	cache_put(c->t->judge->cache, buf_str(&key), c->password, &v, clock_ms(),
		  until_ms);
	buf_fini(&key);
}

static void remember(const struct check *c, uint64_t version)
{
	const struct judge *j = c->t->judge;
	uint64_t ms = j->set->auth.cache_time_s * 1000;

	if (j->cache == NULL)
		return;
	if (!source_is_secret(c->by) && ms > ELSEWHERE_MS)
		ms = ELSEWHERE_MS;
	put(c, version, clock_ms() + ms);
}

/* restamp - what was true of older records is true of these */
static void restamp(const struct check *c)
{
	if (c->by == &c->rule->sources[0] && c->profile_stamp != 0 &&
	    c->secret_stamp != 0)
		put(c, c->value.version, c->value.until_ms);
}

static enum source_result ask_secret(struct check *c, struct err *e)
{
	struct judge *j = c->t->judge;
	bool match = false;

	/* Who is unknown pays as much as who is known. */
	if (!c->found)
		secret_check_nobody(j->store, c->password);
	else if (secret_matches(j->store, &c->secret, c->password, &match, e) < 0)
		return SOURCE_FAILED;
	return match ? SOURCE_YES : SOURCE_NO;
}

static enum source_result ask_source(struct check *c, const struct source *s,
				     struct err *e)
{
	const struct attempt *t = c->t;
	struct source_question q = {.set = t->judge->set,
				    .user = str_of(t->name.s),
				    .password = c->password,
				    .service = t->q->service};

	return source_check(s, &q, e);
}

/* is_passed_over - what can be no name of ours is asked of nobody: it tells nothing of who
 * there is, and may mean something in a query */
static bool is_passed_over(const struct check *c, const struct source *s)
{
	return !source_is_secret(s) && c->t->name.s[0] == '\0';
}

/* counts - whether a yes is one; see attempt.h */
static bool counts(const struct check *c, const struct source *s)
{
	return source_is_secret(s) || !c->rule->transition || !c->secret.found;
}

/* ask_sources - each in its turn until one says yes, whether the account is one or not: the
 * time must not tell */
static bool ask_sources(struct check *c, bool *cached)
{
	for (size_t i = 0; i < c->rule->n_sources; i++) {
		const struct source *s = &c->rule->sources[i];
		enum source_result r;
		struct err e = {0};

		if (is_passed_over(c, s))
			continue;
		*cached = is_cached(c, s);
		r = *cached               ? SOURCE_YES
		    : source_is_secret(s) ? ask_secret(c, &e)
					  : ask_source(c, s, &e);
		if (r == SOURCE_YES && counts(c, s)) {
			c->by = s;
			return true;
		}
		if (r == SOURCE_FAILED)
			c->failed = e;
		else
			c->refused = true;
	}
	return false;
}

/* upgrade - what the login brought to light is kept as the settings ask for; a login does
 * not fail for that */
static void upgrade(struct check *c)
{
	struct attempt *t = c->t;
	struct store *st = t->judge->store;
	bool secret = source_is_secret(c->by);
	struct err e = {0};
	int rc;

	if (secret)
		rc = secret_upgrade(st, &c->account, &c->secret, c->password, &e);
	else
		rc = secret_set(st, &c->account, c->password, false, &e);
	if (rc < 0)
		log_end(t, LOG_LV_WARN, "auth.upgrade.failed", &e);
	else
		log_event(LOG_LV_INFO, "auth.upgraded", kv_s("sid", t->q->sid),
			  kv_s("account", c->account.name.s),
			  kv_s("source", c->by->text));
}

static bool wants_upgrade(const struct check *c)
{
	if (source_is_secret(c->by))
		return c->secret.needs_upgrade;
	return c->rule->transition && !c->secret.found &&
	       (c->account.flags & ACCOUNT_PWD_ELSEWHERE) == 0;
}

/* after_yes - the secret's record is written before it is remembered which version of it the
 * password was right for */
static void after_yes(struct check *c, bool cached)
{
	struct err e;
	uint64_t version = c->secret.version;

	if (cached) {
		restamp(c);
		return;
	}
	if (!may_remember(c))
		return;
	if (wants_upgrade(c)) {
		upgrade(c);
		/* What was taken over is judged by the secret from now on. */
		if (!source_is_secret(c->by))
			return;
		if (secret_version(c->t->judge->store, &c->account, &version, &e) < 0)
			return;
	}
	remember(c, version);
}

static void judge_password_of(struct check *c, struct err *why, struct auth_answer *out)
{
	struct judge *j = c->t->judge;
	bool cached = false;

	if (!ask_sources(c, &cached)) {
		if (c->failed.class != ERR_NONE) {
			if (c->refused)
				end_turn(c->t, false, out);
			attempt_fail(c->t, &c->failed, out);
			return;
		}
		if (why->class == ERR_NONE)
			err_set(why, ERR_PERM, "5.7.8", "wrong password");
		attempt_refuse(c->t, why, out);
		return;
	}
	/* A source may know a name that is no account of ours, or none that may come in. */
	if (!c->found) {
		attempt_refuse(c->t, why, out);
		return;
	}
	c->expired = source_is_secret(c->by) &&
		     secret_is_expired(j->set, c->secret.set_ms, clock_unix_ms());
	after_yes(c, cached);
	accept(c->t, &c->account, c->expired, out);
}

/* ---- what was right a short while ago ------------------------------------------------- */

/* A secret that is not there has a stamp of its own: to be away is a fact, too. */
enum { STAMP_NONE = 1 };

/* take_stamps - what fails here will fail again where it is read, and is told then */
static void take_stamps(struct check *c)
{
	struct store *st = c->t->judge->store;
	struct err ignored;
	bool found;

	if (account_stamp(st, &c->account.name, &c->profile_stamp, &found, &ignored) < 0)
		c->profile_stamp = 0;
	if (secret_stamp(st, &c->account.name, &c->secret_stamp, &found, &ignored) < 0)
		c->secret_stamp = 0;
	else if (!found)
		c->secret_stamp = STAMP_NONE;
}

/* is_as_then - neither profile nor secret was touched since they were judged */
static bool is_as_then(const struct check *c)
{
	const struct cache_value *v = &c->value;

	return v->profile_stamp != 0 && v->profile_stamp == c->profile_stamp &&
	       v->secret_stamp != 0 && v->secret_stamp == c->secret_stamp;
}

static bool find_name(struct check *c)
{
	struct attempt *t = c->t;
	struct store *s = t->judge->store;
	struct name *name = &c->account.name;
	struct err ignored;

	return (takes_folders(t)
			? user_name_folder(s, t->user, name, &t->folder, &ignored)
			: user_name(s, t->user, name, &ignored)) == USER_FOUND;
}

/* recall - true: the first source that would be asked has said yes to this, a short while
 * ago, and nothing has changed since.  That is proved by two stats, and nothing is read. */
static bool recall(struct check *c)
{
	struct attempt *t = c->t;
	struct judge *j = t->judge;

	if (j->cache == NULL || !find_name(c))
		return false;
	c->rule = rules_find(j->rules, t->q, name_domain_of(&c->account.name));
	if (!(c->rule->mechanisms & MECHANISM_BIT(t->mechanism)))
		return false;
	take_stamps(c);
	c->by = &c->rule->sources[0];
	c->remembered = look_up(c, c->by, &c->value);
	/* With `transition`, who has a secret may not be asked about elsewhere. */
	return c->remembered && is_as_then(c) &&
	       (source_is_secret(c->by) || !c->rule->transition);
}

static void accept_again(struct check *c, struct auth_answer *out)
{
	struct attempt *t = c->t;

	t->name = c->account.name;
	c->account.uid = c->value.uid;
	c->account.flags = c->value.flags;
	t->profile_stamp = c->profile_stamp;
	accept(t, &c->account,
	       source_is_secret(c->by) &&
		       secret_is_expired(t->judge->set, c->value.set_ms, clock_unix_ms()),
	       out);
}

void attempt_password(struct attempt *t, struct str password, struct auth_answer *out)
{
	struct check c = {.t = t, .password = password};
	struct err e = {0};
	enum user_result r;

	if (recall(&c)) {
		accept_again(&c, out);
		return;
	}
	server_pass_on(); /* a hash takes its time, and another source may */
	r = attempt_find(t, &c.account, &c.rule, &e);
	c.found = r == USER_FOUND;
	if (r == USER_FAILED ||
	    (c.found && secret_read(t->judge->store, &c.account, &c.secret, &e) < 0)) {
		attempt_fail(t, &e, out);
		return;
	}
	judge_password_of(&c, &e, out);
	if (c.found)
		secret_fini(&c.secret);
}

void attempt_proof(struct attempt *t, struct auth_answer *out)
{
	const struct rule *rule;
	struct account a;
	struct secret secret;
	struct err e = {0};
	enum user_result r = attempt_find(t, &a, &rule, &e);

	if (r == USER_FAILED) {
		attempt_fail(t, &e, out);
	} else if (r == USER_UNKNOWN) {
		attempt_refuse(t, &e, out);
	} else if (secret_read(t->judge->store, &a, &secret, &e) < 0) {
		attempt_fail(t, &e, out);
	} else {
		/* Who did not use his password need not change it. */
		bool by_password = (mechanisms[t->mechanism].needs &
				    (NEEDS_CERTIFICATE | NEEDS_KEYTAB)) == 0;

		accept(t, &a,
		       by_password && secret_is_expired(t->judge->set, secret.set_ms,
							clock_unix_ms()),
		       out);
		secret_fini(&secret);
	}
}
