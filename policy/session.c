/* SPDX-License-Identifier: ISC */
#include "policy/session.h"

#include "lib/log.h"
#include "policy/policy.h"
#include "policy/socketmap.h"
#include "store/domain.h"
#include "store/store.h"

/* more - waits for input; false when the connection is over, which needs no word:
 * the MTA asks again on another one */
static bool more(struct conn *c, bool idle, struct str *in)
{
	struct err e;

	if (idle)
		conn_deadline(c, 0);
	else if (c->deadline_ms == 0)
		conn_deadline(c, POLICY_REQUEST_MS);
	return conn_input(c, in, &e) == 0;
}

static bool flush(struct conn *c, struct buf *out)
{
	struct err e;
	int rc = out->n > 0 ? conn_write(c, buf_str(out), false, &e) : 0;

	buf_clear(out);
	return rc == 0;
}

static void log_broken(const struct conn *c, const char *event, const char *why)
{
	if (why != NULL)
		log_event(LOG_LV_WARN, event, kv_s("sid", c->sid), kv_s("peer", c->peer),
			  kv_s("why", why));
}

/* ---- the policy protocol -------------------------------------------------------------- */

static void log_verdict(const struct conn *c, const struct policy *p,
			const struct verdict *v)
{
	if (v->code == VERDICT_TRY_AGAIN)
		log_event(LOG_LV_WARN, "policy.recipient.deferred", kv_s("sid", c->sid),
			  kv_str("qid", policy_queue_id(p)),
			  kv_str("rcpt", policy_recipient(p)), kv_err(&v->why));
	else if (!verdict_accepts(v) && v->code != VERDICT_NOT_OURS)
		log_event(LOG_LV_INFO, "policy.recipient.refused", kv_s("sid", c->sid),
			  kv_str("qid", policy_queue_id(p)),
			  kv_str("rcpt", policy_recipient(p)), kv_s("verdict", v->word),
			  kv_s("dsn", v->dsn));
}

static void judge(struct store *st, const struct conn *c, struct policy *p)
{
	struct verdict v;

	verdict_of_plain(st, policy_recipient(p), policy_size(p), &v);
	log_verdict(c, p, &v);
	policy_answer(p, &v);
	verdict_fini(&v);
}

void policy_session(struct store *st, struct conn *c)
{
	struct policy *p = policy_new();
	struct str in;

	do {
		if (!more(c, policy_idle(p), &in))
			break;
		conn_consume(c, policy_feed(p, in));
		if (policy_want(p) == POLICY_WANT_VERDICT)
			judge(st, c, p);
	} while (flush(c, policy_output(p)) && policy_want(p) != POLICY_WANT_CLOSE);
	log_broken(c, "policy.request.broken", policy_broken(p));
	policy_free(&p);
}

/* ---- socketmap ------------------------------------------------------------------------ */

static void log_deferred(const struct conn *c, const struct socketmap *m,
			 const struct err *why)
{
	log_event(LOG_LV_WARN, "socketmap.lookup.deferred", kv_s("sid", c->sid),
		  kv_str("map", socketmap_map(m)), kv_str("key", socketmap_key(m)),
		  kv_err(why));
}

static void look_up_address(struct store *st, const struct conn *c, struct socketmap *m)
{
	struct verdict v;

	verdict_of_address(st, socketmap_address(m), 0, &v);
	if (v.code == VERDICT_TRY_AGAIN)
		log_deferred(c, m, &v.why);
	socketmap_answer(m, &v);
	verdict_fini(&v);
}

static void look_up_domain(struct store *st, const struct conn *c, struct socketmap *m)
{
	struct domain d;
	struct err e;
	bool found;

	if (domain_resolve(st, socketmap_key(m), &d, &found, &e) < 0) {
		log_deferred(c, m, &e);
		socketmap_answer_later(m, STR("mail store is not available"));
	} else {
		socketmap_answer_domain(m, str_of(found ? d.name.s : ""));
	}
}

void socketmap_session(struct store *st, struct conn *c)
{
	bool expands = store_settings(st)->outgoing.srs_domain[0] == '\0';
	struct socketmap *m = socketmap_new(expands);
	struct str in;

	do {
		if (!more(c, socketmap_idle(m), &in))
			break;
		conn_consume(c, socketmap_feed(m, in));
		if (socketmap_want(m) == SOCKETMAP_WANT_VERDICT)
			look_up_address(st, c, m);
		else if (socketmap_want(m) == SOCKETMAP_WANT_DOMAIN)
			look_up_domain(st, c, m);
	} while (flush(c, socketmap_output(m)) &&
		 socketmap_want(m) != SOCKETMAP_WANT_CLOSE);
	log_broken(c, "socketmap.request.broken", socketmap_broken(m));
	socketmap_free(&m);
}
