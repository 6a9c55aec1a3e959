/* SPDX-License-Identifier: ISC */
#include "popd/front.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/handoff.h"
#include "lib/log.h"
#include "lib/proxy.h"
#include "lib/server.h"
#include "popd/handover.h"
#include "popd/login.h"
#include "popd/relay.h"

enum { CERTIFICATE_OCTETS = 4096 };

/* One connection. */
struct visit {
	const struct front *front;
	struct conn *conn;
	struct login *login;
	struct auth_offer offer;
	struct capa capa; /* made of the offer */
	struct auth_exchange *exchange;
	char client[CONN_PEER]; /* conn_address() */
	bool may_name;          /* it may say by XCLIENT for whom it speaks */
	struct buf exporter, end_point, subject, names;
	struct handover handover;
	struct err end;
};

/* ---- who asks --------------------------------------------------------------------- */

static struct auth_peer asker(const struct visit *v)
{
	return (struct auth_peer){
		.service = "pop3",
		.sid = v->conn->sid,
		.client = v->client,
		.server = v->conn->server,
		.tls = conn_tls(v->conn) != NULL,
		.loopback = v->conn->loopback,
		.end_ms = v->conn->deadline_ms,
		.exporter = buf_str(&v->exporter),
		.end_point = buf_str(&v->end_point),
		.certificate_subject = buf_str(&v->subject),
		.certificate_names = buf_str(&v->names),
	};
}

/* may_be_clear - whether a password may come in clear text; authd knows it, too */
static bool may_be_clear(const struct visit *v)
{
	return settings_allow_clear(v->front->set, v->conn->loopback);
}

/* ask_offer - what this peer may use, as the connection is now */
static int ask_offer(struct visit *v)
{
	struct auth_peer p = asker(v);
	bool tls = p.tls;

	if (auth_ask_offer(v->front->auth, &p, &v->offer, &v->end) < 0)
		return -1;
	v->capa = (struct capa){
		.plaintext = v->offer.password && (tls || may_be_clear(v)),
		.stls = v->front->tls != NULL && !tls,
		.tls = tls,
		.apop = v->offer.apop,
		.xclient = v->may_name,
		.login_delay_s = v->front->set->pop3.login_delay_s,
		.mechanisms = v->offer.mechanisms,
	};
	return 0;
}

/* ---- output ----------------------------------------------------------------------- */

static int flush(struct visit *v, bool more)
{
	struct str out = login_output(v->login);

	if (out.n == 0)
		return 0;
	if (conn_write(v->conn, out, more, &v->end) < 0)
		return -1;
	login_written(v->login);
	return 0;
}

/* say_why_not - to who was not let in; *end is for the log */
static int say_why_not(struct visit *v, struct str reply, const char *why)
{
	if (conn_write(v->conn, reply, false, &v->end) < 0)
		return -1;
	return err_set(&v->end, ERR_PEER, "4.0.0", "%s", why);
}

/* ---- the answers of authd --------------------------------------------------------- */

static void log_failure(const struct visit *v, const struct auth_answer *a)
{
	log_event(LOG_LV_WARN, "pop3.login.failed", kv_s("sid", v->conn->sid),
		  kv_s("peer", v->conn->peer), kv_s("err", a->why));
}

static int take_account(struct visit *v, const struct auth_answer *a)
{
	snprintf(v->handover.account, sizeof v->handover.account, "%s", a->account);
	snprintf(v->handover.ticket, sizeof v->handover.ticket, "%s", a->ticket);
	v->handover.uid = a->uid;
	login_accepted(v->login, buf_str(&a->data));
	return 0;
}

/* tell - the login what authd answered, and a yes no sooner than a no, or the time would tell
 * it; why a name was refused, authd has logged */
static int tell(struct visit *v, const struct auth_answer *a)
{
	if (conn_hold(v->conn, a->wait_ms, &v->end) < 0)
		return -1;
	switch (a->result) {
	case AUTH_OK:
		return take_account(v, a);
	case AUTH_CHALLENGE:
		login_challenge(v->login, buf_str(&a->data));
		return 0;
	case AUTH_EXPIRED:
		login_expired(v->login);
		return 0;
	case AUTH_TRY_AGAIN:
		log_failure(v, a);
		login_try_again(v->login);
		return 0;
	case AUTH_REFUSED:
	case AUTH_REJECTED:
		break;
	}
	login_refused(v->login);
	return 0;
}

static void ask(struct visit *v, const struct login_question *q, struct auth_answer *a)
{
	struct auth_peer p = asker(v);

	switch (q->kind) {
	case LOGIN_PASSWORD:
		auth_password(v->front->auth, &p, q->user, q->proof, a);
		break;
	case LOGIN_APOP:
		auth_apop(v->front->auth, &p, q->user, q->challenge, q->proof, a);
		break;
	case LOGIN_SASL:
		auth_sasl_begin(v->front->auth, &p, q->mechanism,
				q->has_proof ? &q->proof : NULL, &v->exchange, a);
		break;
	case LOGIN_SASL_STEP:
		auth_sasl_step(&v->exchange, q->proof, a);
		break;
	}
}

static int check(struct visit *v)
{
	struct login_question q = login_question(v->login);
	struct auth_answer a;
	int rc;

	auth_answer_init(&a);
	ask(v, &q, &a);
	rc = tell(v, &a);
	auth_answer_fini(&a);
	return rc;
}

/* ---- TLS -------------------------------------------------------------------------- */

static int begin_tls(struct visit *v)
{
	struct tls *t;

	if (conn_start_tls(v->conn, v->front->tls, &v->end) < 0)
		return -1;
	t = conn_tls(v->conn);
	tls_get_binding(t, TLS_EXPORTER, &v->exporter);
	tls_get_binding(t, TLS_SERVER_END_POINT, &v->end_point);
	tls_get_client(t, &v->subject, &v->names);
	return 0;
}

static int stls(struct visit *v)
{
	if (flush(v, false) < 0 || begin_tls(v) < 0 || ask_offer(v) < 0)
		return -1;
	v->capa.apop = false; /* its challenge came in clear */
	login_tls_begun(v->login, &v->capa);
	return 0;
}

/* ---- the conversation -------------------------------------------------------------- */

/* read_some - waits when nothing is there, and says what is to be said before */
static int read_some(struct visit *v)
{
	struct str in;

	if (!conn_has_input(v->conn) && flush(v, false) < 0)
		return -1;
	if (conn_input(v->conn, &in, &v->end) < 0)
		return -1;
	conn_consume_secret(v->conn, login_feed(v->login, in));
	if (v->exchange != NULL && !login_exchanging(v->login))
		auth_sasl_abort(&v->exchange);
	return 0;
}

/* rename_client - and what is offered to whom it speaks for now */
static int rename_client(struct visit *v)
{
	struct proxy_xclient said;
	bool understood = proxy_xclient(login_peer(v->login), &said);

	v->may_name = false;
	if (understood) {
		conn_set_client(v->conn, &said.client);
		conn_address(v->conn, v->client);
	}
	if (ask_offer(v) < 0)
		return -1;
	v->capa.apop = false; /* the greeting was for another */
	login_peer_known(v->login, understood, &v->capa);
	return 0;
}

/* step - 0: there is more to do; 1: it is known who is there */
static int step(struct visit *v)
{
	switch (login_want(v->login)) {
	case LOGIN_WANT_INPUT:
		return read_some(v);
	case LOGIN_WANT_WRITE:
		return flush(v, false);
	case LOGIN_WANT_CHECK:
		return check(v);
	case LOGIN_WANT_TLS:
		return stls(v);
	case LOGIN_WANT_PEER:
		return rename_client(v);
	case LOGIN_WANT_HAND_OVER:
		/* The answer to PASS follows at once. */
		return flush(v, true) < 0 ? -1 : 1;
	case LOGIN_WANT_CLOSE:
		break;
	}
	if (flush(v, false) < 0)
		return -1;
	return err_set(&v->end, ERR_PEER, "4.0.0", "said goodbye");
}

/* make_challenge - RFC 1939 s7: never the same again, and nobody can guess it */
static void make_challenge(const struct visit *v, struct buf *out)
{
	uint64_t random[2];

	must(getrandom(random, sizeof random, 0) == sizeof random);
	buf_printf(out, "<%" PRIx64 ".%" PRIx64 "@%s>", random[0], random[1],
		   v->front->set->hostname);
}

static int converse(struct visit *v)
{
	struct buf challenge;
	int rc;

	if (ask_offer(v) < 0) {
		log_event(LOG_LV_ERROR, "pop3.login.failed", kv_s("sid", v->conn->sid),
			  kv_s("peer", v->conn->peer), kv_err(&v->end));
		return say_why_not(v,
				   STR("-ERR [SYS/TEMP] cannot check passwords now, "
				       "try again later\r\n"),
				   "authd is away");
	}
	buf_init(&challenge, 400);
	if (v->capa.apop)
		make_challenge(v, &challenge);
	v->login =
		login_new(str_of(v->front->set->hostname), buf_str(&challenge), &v->capa);
	buf_fini(&challenge);
	do
		rc = step(v);
	while (rc == 0);
	auth_sasl_abort(&v->exchange);
	return rc < 0 ? -1 : 0;
}

/* ---- the hand-over ------------------------------------------------------------------ */

static int write_note(struct visit *v, struct buf *note)
{
	struct handover *h = &v->handover;
	struct conn *c = v->conn;

	snprintf(h->peer, sizeof h->peer, "%s", c->peer);
	snprintf(h->sid, sizeof h->sid, "%s", c->sid);
	snprintf(h->mechanisms, sizeof h->mechanisms, "%s", v->offer.mechanisms);
	h->loopback = c->loopback;
	h->tls = conn_tls(c) != NULL;
	h->plaintext = v->capa.plaintext;
	h->unread = STR("");
	if (conn_has_input(c) && conn_input(c, &h->unread, &v->end) < 0)
		return -1;
	if (handover_write(h, note))
		return 0;
	return err_set(&v->end, ERR_TEMP, "4.3.0", "no note can be made of the login");
}

/* give - the socket itself, or under TLS one end of *pair */
static int give(struct visit *v, int *pair, struct str note)
{
	int sessions = v->front->sessions;
	uint64_t end = v->conn->deadline_ms;

	if (conn_tls(v->conn) == NULL)
		return handoff_give(sessions, v->conn->fd, note, end, &v->end);
	*pair = handoff_ask(sessions, note, end, &v->end);
	return *pair < 0 ? -1 : 0;
}

static int hand_over(struct visit *v, int *pair)
{
	struct buf note;
	int rc;

	/* From now on a stop must not touch the socket: it is another process's, too. */
	conn_busy(v->conn, conn_tls(v->conn) == NULL);
	buf_init(&note, HANDOFF_NOTE_MAX);
	rc = write_note(v, &note);
	if (rc == 0)
		rc = give(v, pair, buf_str(&note));
	buf_fini(&note);
	if (rc == 0) {
		conn_consume(v->conn, v->handover.unread.n);
		return 0;
	}
	/* The channel is closed when popstored stops. */
	log_event(v->end.sys == EPIPE ? LOG_LV_INFO : LOG_LV_ERROR,
		  "pop3.handover.failed", kv_s("sid", v->conn->sid),
		  kv_s("account", v->handover.account), kv_err(&v->end));
	return say_why_not(v, STR("-ERR [SYS/TEMP] no session now, try again later\r\n"),
			   "no session");
}

/* ---- a connection -------------------------------------------------------------------- */

static int let_in(struct visit *v, struct crowd_place *place)
{
	bool counted = !v->may_name &&
		       (!v->conn->loopback || v->front->set->pop3.count_loopback);
	enum crowd_verdict verdict = crowd_enter(
		v->front->crowd, counted ? str_of(v->client) : STR(""), v->conn, place);

	if (verdict == CROWD_IN)
		return 0;
	return err_set(&v->end, ERR_PEER, "4.3.2", "%s", crowd_why(verdict));
}

static int log_in(struct visit *v, bool tls_first, int *pair)
{
	struct crowd_place place;
	struct err ignore;
	int rc;

	if (let_in(v, &place) < 0) {
		if (!tls_first)
			(void)!conn_write(v->conn,
					  STR("-ERR [SYS/TEMP] too many connections, "
					      "try again later\r\n"),
					  false, &ignore);
		return -1;
	}
	conn_deadline(v->conn, (uint32_t)(v->front->set->pop3.login_timeout_s * 1000));
	rc = tls_first ? begin_tls(v) : 0;
	if (rc == 0)
		rc = converse(v);
	/* Before the connection is another process's, too: nobody may cut it then. */
	if (crowd_leave(v->front->crowd, &place, &v->end) < 0)
		rc = -1;
	if (rc == 0)
		rc = hand_over(v, pair);
	conn_deadline(v->conn, 0);
	login_free(&v->login);
	return rc;
}

static void visit_open(struct visit *v, const struct front *f, struct conn *c)
{
	*v = (struct visit){.front = f, .conn = c};
	conn_read_little(c, HANDOVER_UNREAD);
	buf_init(&v->exporter, TLS_BINDING_MAX);
	buf_init(&v->end_point, TLS_BINDING_MAX);
	buf_init(&v->subject, CERTIFICATE_OCTETS);
	buf_init(&v->names, CERTIFICATE_OCTETS);
}

static void visit_close(struct visit *v)
{
	buf_fini(&v->exporter);
	buf_fini(&v->end_point);
	buf_fini(&v->subject);
	buf_fini(&v->names);
}

static bool run_login(const struct front *f, struct conn *c, bool tls_first, int *pair)
{
	struct visit v;
	int rc;

	visit_open(&v, f, c);
	rc = conn_read_proxy(c, &f->set->pop3.proxy_networks, &v.end);
	if (rc == 0) {
		/* Whom the proxy speaks for, not the proxy. */
		v.may_name =
			network_list_has_peer(&f->set->pop3.xclient_networks, c->peer);
		conn_address(c, v.client);
		rc = log_in(&v, tls_first, pair);
	}
	if (rc < 0) /* most of these are probes and port scans */
		log_event(LOG_LV_DEBUG, "pop3.connection", kv_s("sid", c->sid),
			  kv_s("peer", c->peer), kv_s("end", v.end.text));
	visit_close(&v);
	return rc == 0;
}

void front_run(const struct front *f, struct conn *c, bool tls_first)
{
	struct err end = {0};
	int pair = -1;

	/* In a function of its own: what a login needs is no burden to a relay. */
	if (!run_login(f, c, tls_first, &pair) || pair < 0)
		return;
	server_shrink_stack();
	relay_run(c, pair, &end);
	close(pair);
}
