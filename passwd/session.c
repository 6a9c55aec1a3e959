/* SPDX-License-Identifier: ISC */
#include "passwd/session.h"

#include "lib/log.h"
#include "lib/proxy.h"
#include "lib/server.h"
#include "passwd/poppass.h"

struct session {
	const struct poppassd *d;
	struct conn *conn;
	struct poppass *p;
	struct auth_peer peer;
	struct crowd_place place; /* among those who have not proved who they are */
	bool in_crowd;
	char client[CONN_PEER]; /* conn_address() */
};

/* ---- who is there ----------------------------------------------------------------- */

static void describe_peer(struct session *s)
{
	s->peer = (struct auth_peer){
		.service = "poppassd",
		.sid = s->conn->sid,
		.client = s->client,
		.server = s->conn->server,
		.tls = conn_tls(s->conn) != NULL,
		.loopback = s->conn->loopback,
		.end_ms = s->conn->deadline_ms,
	};
}

static bool may_send_password(const struct session *s)
{
	return s->peer.tls || settings_allow_clear(s->d->set, s->peer.loopback);
}

/* leave - the crowd of those who may be anybody, once */
static int leave(struct session *s, struct err *e)
{
	bool is_there = s->in_crowd;

	s->in_crowd = false;
	return is_there ? crowd_leave(s->d->crowd, &s->place, e) : 0;
}

/* ---- questions to authd ------------------------------------------------------------ */

static void log_trouble(const struct session *s, const char *why)
{
	log_event(LOG_LV_ERROR, "poppassd.failed", kv_s("sid", s->conn->sid),
		  kv_s("peer", s->conn->peer), kv_s("why", why));
}

static void answer_check(struct session *s, const struct auth_answer *a)
{
	switch (a->result) {
	case AUTH_OK:
	case AUTH_EXPIRED: /* this is where it is changed */
		poppass_proved(s->p);
		return;
	case AUTH_REFUSED:
		poppass_refused(s->p);
		return;
	case AUTH_CHALLENGE:
	case AUTH_REJECTED:
	case AUTH_TRY_AGAIN:
		break;
	}
	log_trouble(s, a->why);
	poppass_try_again(s->p);
}

static int check(struct session *s, struct err *e)
{
	struct auth_call *call;
	struct auth_answer a;
	int rc;

	auth_answer_init(&a);
	call = auth_password(s->d->auth, &s->peer, poppass_user(s->p), poppass_old(s->p));
	auth_wait(&call, NULL, &a);
	/* A yes comes no sooner than a no, or the time would tell it. */
	rc = conn_hold(s->conn, a.wait_ms, e);
	/* Who is known gives way to nobody, in the middle of a change least of all. */
	if (rc == 0 && (a.result == AUTH_OK || a.result == AUTH_EXPIRED))
		rc = leave(s, e);
	if (rc == 0)
		answer_check(s, &a);
	auth_answer_fini(&a);
	return rc;
}

static void log_outcome(const struct session *s, const struct auth_answer *a)
{
	if (a->result == AUTH_OK)
		log_event(LOG_LV_INFO, "poppassd.changed", kv_s("sid", s->conn->sid),
			  kv_s("peer", s->conn->peer), kv_s("account", a->account));
	else if (a->result == AUTH_REJECTED)
		log_event(LOG_LV_INFO, "poppassd.rejected", kv_s("sid", s->conn->sid),
			  kv_s("peer", s->conn->peer), kv_s("why", a->why));
}

static void answer_change(struct session *s, const struct auth_answer *a)
{
	log_outcome(s, a);
	switch (a->result) {
	case AUTH_OK:
		poppass_changed(s->p);
		return;
	case AUTH_REJECTED:
		poppass_rejected(s->p, str_of(a->why));
		return;
	case AUTH_REFUSED:
		poppass_refused(s->p);
		return;
	case AUTH_CHALLENGE:
	case AUTH_EXPIRED:
	case AUTH_TRY_AGAIN:
		break;
	}
	log_trouble(s, a->why);
	poppass_try_again(s->p);
}

/* change - and not be cut within it when the process is told to stop.  What was done is said
 * at once: who asked has proved before who he is. */
static int change(struct session *s, struct err *e)
{
	struct auth_call *call;
	struct auth_answer a;
	int rc = 0;

	conn_busy(s->conn, true);
	auth_answer_init(&a);
	call = auth_change(s->d->auth, &s->peer, poppass_user(s->p), poppass_old(s->p),
			   poppass_new_password(s->p));
	auth_wait(&call, NULL, &a);
	if (a.result != AUTH_OK)
		rc = conn_hold(s->conn, a.wait_ms, e);
	if (rc == 0)
		answer_change(s, &a);
	auth_answer_fini(&a);
	return rc;
}

/* ---- the connection ----------------------------------------------------------------- */

static int flush(struct session *s, struct err *e)
{
	struct buf *out = poppass_output(s->p);
	int rc = out->n > 0 ? conn_write(s->conn, buf_str(out), false, e) : 0;

	buf_clear(out);
	conn_busy(s->conn, false);
	return rc;
}

static int read_some(struct session *s, struct err *e)
{
	struct str in;

	if (!conn_has_input(s->conn)) {
		if (flush(s, e) < 0)
			return -1;
		if (server_stopping())
			return err_set(e, ERR_PEER, "4.3.2", "stopped");
	}
	if (conn_input(s->conn, &in, e) < 0)
		return -1;
	conn_consume_secret(s->conn, poppass_feed(s->p, in));
	return 0;
}

static int converse(struct session *s, struct err *e)
{
	for (;;) {
		int rc = 0;

		switch (poppass_want(s->p)) {
		case POPPASS_WANT_INPUT:
			rc = read_some(s, e);
			break;
		case POPPASS_WANT_CHECK:
			rc = check(s, e);
			break;
		case POPPASS_WANT_CHANGE:
			rc = change(s, e);
			break;
		case POPPASS_WANT_CLOSE:
			return flush(s, e);
		}
		if (rc < 0)
			return -1;
	}
}

/* greet - -1 when this client is not served */
static int greet(struct session *s, bool tls, struct err *e)
{
	if (tls && conn_start_tls(s->conn, s->d->tls, e) < 0)
		return -1;
	describe_peer(s);
	if (may_send_password(s))
		return 0;
	if (conn_write(s->conn, STR("500 a password in clear text needs TLS here\r\n"),
		       false, e) < 0)
		return -1;
	return err_set(e, ERR_PEER, "5.7.8", "not served without TLS");
}

static int serve(struct session *s, bool tls, struct err *e)
{
	int rc = greet(s, tls, e);

	if (rc < 0)
		return -1;
	s->p = poppass_new(str_of(s->d->set->hostname));
	rc = converse(s, e);
	poppass_free(&s->p);
	return rc;
}

/* turn_away - one too many, who is told so where the client does not begin with TLS */
static int turn_away(struct session *s, bool tls, enum crowd_verdict why, struct err *e)
{
	if (!tls &&
	    conn_write(s->conn, STR("500 too many connections, try again later\r\n"),
		       false, e) < 0)
		return -1;
	return err_set(e, ERR_PEER, "4.3.2", "%s", crowd_why(why));
}

static int let_in(struct session *s, bool tls, struct err *e)
{
	const struct settings *set = s->d->set;
	enum crowd_verdict verdict;
	int rc;

	if (conn_read_proxy(s->conn, &set->poppassd.proxy_networks, e) < 0)
		return -1;
	conn_address(s->conn, s->client);
	verdict =
		crowd_enter(s->d->crowd, s->conn->loopback ? STR("") : str_of(s->client),
			    s->conn, &s->place);
	if (verdict != CROWD_IN)
		return turn_away(s, tls, verdict, e);
	s->in_crowd = true;
	conn_deadline(s->conn, (uint32_t)(set->poppassd.timeout_s * 1000));
	rc = serve(s, tls, e);
	return leave(s, e) < 0 ? -1 : rc;
}

void poppassd_session(const struct poppassd *d, struct conn *c, bool tls)
{
	struct session s = {.d = d, .conn = c};
	struct err e = {0};
	int rc = let_in(&s, tls, &e);

	/* Most of these are probes and port scans. */
	log_event(LOG_LV_DEBUG, "poppassd.connection", kv_s("sid", c->sid),
		  kv_s("peer", c->peer), kv_s("end", rc < 0 ? e.text : "said goodbye"));
}
