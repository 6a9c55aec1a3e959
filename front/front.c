/* SPDX-License-Identifier: ISC */
#include "front/front.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "front/core.h"
#include "front/handover.h"
#include "front/relay.h"
#include "lib/handoff.h"
#include "lib/proxy.h"
#include "lib/server.h"

enum {
	CERTIFICATE_OCTETS = 4096,
	TRIM_EVERY = 256, /* relays that begin */
};

/* What comes after a step. */
enum next { NEXT_STEP, NEXT_WAIT, NEXT_END };

/* A connection before login. */
struct visit {
	const struct front *front;
	const struct login_core *core; /* the front's */
	struct conn *conn;
	enum front_door door;
	bool tls; /* it speaks TLS, with us or with the login process it came by at first */
	/* What is to be done: arrive(), shake(), greet(), and then talk(), which a question
	 * to authd interrupts: hear(), hold_back(); who comes back from a session begins
	 * with come_back() */
	enum next (*phase)(struct visit *v);
	bool is_in; /* the crowd, at: */
	struct crowd_place place;
	struct login *login;
	struct auth_offer offer;
	struct capa capa;       /* made of the offer */
	struct auth_call *call; /* what authd is asked */
	struct auth_exchange *exchange;
	char client[CONN_PEER]; /* conn_address() */
	bool may_name;          /* it may say by XCLIENT for whom it speaks */
	struct buf exporter, end_point, subject, names;
	struct auth_answer *held; /* that is not told yet */
	struct handover handover;
	int pair; /* after the login, the end of the session's that stays; -1 */
	struct err end;
};

static enum next talk(struct visit *v);

static enum next after(int rc)
{
	return rc < 0 ? NEXT_END : NEXT_STEP;
}

/* ---- who asks --------------------------------------------------------------------- */

static struct auth_peer asker(const struct visit *v)
{
	return (struct auth_peer){
		.service = v->core->service,
		.sid = v->conn->sid,
		.client = v->client,
		.server = v->door == FRONT_RETURN ? v->handover.server : v->conn->server,
		.tls = v->tls,
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
		.login_delay_s = v->front->limits.login_delay_s,
		.mechanisms = v->offer.mechanisms,
	};
	return 0;
}

/* ---- output ----------------------------------------------------------------------- */

static int flush(struct visit *v, bool more)
{
	struct str out = v->core->output(v->login);

	if (out.n == 0)
		return 0;
	if (conn_write(v->conn, out, more, &v->end) < 0)
		return -1;
	v->core->written(v->login);
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
	struct err why;

	err_set(&why, ERR_TEMP, "4.7.0", "%s", a->why);
	v->core->log_failure(v->conn, false, &why);
}

static void take_account(struct visit *v, const struct auth_answer *a)
{
	struct str last = buf_str(&a->data);

	snprintf(v->handover.account, sizeof v->handover.account, "%s", a->account);
	snprintf(v->handover.ticket, sizeof v->handover.ticket, "%s", a->ticket);
	v->handover.uid = a->uid;
	if (v->core->last_word_later)
		handover_last_word(&v->handover, last);
	v->core->accepted(v->login, v->core->last_word_later ? STR("") : last);
}

/* tell - the login what authd answered; why a name was refused, authd has logged */
static void tell(struct visit *v, const struct auth_answer *a)
{
	switch (a->result) {
	case AUTH_OK:
		take_account(v, a);
		return;
	case AUTH_CHALLENGE:
		v->core->challenge(v->login, buf_str(&a->data));
		return;
	case AUTH_EXPIRED:
		v->core->expired(v->login);
		return;
	case AUTH_TRY_AGAIN:
		log_failure(v, a);
		v->core->try_again(v->login);
		return;
	case AUTH_REFUSED:
	case AUTH_REJECTED:
		break;
	}
	v->core->refused(v->login);
}

static void let_go(struct visit *v)
{
	if (v->held != NULL)
		auth_answer_fini(v->held);
	xfree(&v->held);
	v->conn->wake_ms = 0;
}

/* hold_back - an answer, as conn_hold() does: a yes no sooner than a no, or the time would
 * tell it */
static enum next hold_back(struct visit *v)
{
	if (conn_is_held(v->conn, v->conn->wake_ms))
		return NEXT_WAIT;
	if (conn_check_deadline(v->conn, &v->end) < 0)
		return NEXT_END;
	tell(v, v->held);
	let_go(v);
	v->phase = talk;
	return NEXT_STEP;
}

static void begin_to_hold(struct visit *v, struct auth_answer *a)
{
	v->held = xalloc(sizeof *v->held);
	*v->held = *a;
	auth_answer_init(a);
	v->conn->wake_ms = clock_ms() + v->held->wait_ms;
	v->phase = hold_back;
}

static enum next take_answer(struct visit *v, struct auth_answer *a)
{
	v->phase = talk;
	if (a->wait_ms > 0)
		begin_to_hold(v, a);
	else
		tell(v, a);
	return NEXT_STEP;
}

/* wait_for_authd - it may be another conversation than before */
static enum next wait_for_authd(struct visit *v)
{
	int fd = auth_call_fd(v->call);

	if (fd < 0) /* there is an answer: that there is none */
		return NEXT_STEP;
	server_watch(v->conn, fd, false);
	return NEXT_WAIT;
}

static enum next hear(struct visit *v)
{
	struct conn *c = v->conn;
	struct auth_answer a;
	enum next next = NEXT_END;

	auth_answer_init(&a);
	if (auth_answered(&v->call, &v->exchange, &a)) {
		c->wake_ms = 0;
		next = take_answer(v, &a);
	} else if (conn_check_deadline(c, &v->end) == 0) {
		next = wait_for_authd(v);
	}
	auth_answer_fini(&a);
	return next;
}

static struct auth_call *ask(struct visit *v, const struct login_question *q)
{
	struct auth_peer p = asker(v);
	struct auth *auth = v->front->auth;

	switch (q->kind) {
	case LOGIN_PASSWORD:
		return auth_password(auth, &p, q->user, q->proof);
	case LOGIN_APOP:
		return auth_apop(auth, &p, q->user, q->challenge, q->proof);
	case LOGIN_SASL:
		return auth_sasl_begin(auth, &p, q->mechanism,
				       q->has_proof ? &q->proof : NULL);
	case LOGIN_SASL_STEP:
	default:
		return auth_sasl_step(&v->exchange, q->proof);
	}
}

static enum next check(struct visit *v)
{
	struct login_question q = v->core->question(v->login);

	v->call = ask(v, &q);
	v->conn->wake_ms = clock_ms() + AUTH_WAIT_MS;
	v->phase = hear;
	return wait_for_authd(v);
}

/* ---- TLS -------------------------------------------------------------------------- */

static enum next greet(struct visit *v);

static void take_bindings(struct visit *v)
{
	struct tls *t = conn_tls(v->conn);

	tls_get_binding(t, TLS_EXPORTER, &v->exporter);
	tls_get_binding(t, TLS_SERVER_END_POINT, &v->end_point);
	tls_get_client(t, &v->subject, &v->names);
}

/* tls_begun - within a conversation */
static enum next tls_begun(struct visit *v)
{
	if (ask_offer(v) < 0)
		return NEXT_END;
	v->capa.apop = false; /* its challenge came in clear */
	v->core->tls_begun(v->login, &v->capa);
	v->phase = talk;
	return NEXT_STEP;
}

static enum next shake(struct visit *v)
{
	bool done;

	if (conn_shake_hands(v->conn, &done, &v->end) < 0)
		return NEXT_END;
	if (!done)
		return NEXT_WAIT;
	v->tls = true;
	take_bindings(v);
	if (v->login != NULL)
		return tls_begun(v);
	v->phase = greet;
	return NEXT_STEP;
}

static int begin_tls(struct visit *v)
{
	v->phase = shake;
	return conn_begin_tls(v->conn, v->front->tls, &v->end);
}

static int stls(struct visit *v)
{
	return flush(v, false) < 0 ? -1 : begin_tls(v);
}

/* ---- the conversation -------------------------------------------------------------- */

/* read_some - before there is a wait, what is to be said is said */
static enum next read_some(struct visit *v)
{
	struct str in;

	if (!conn_has_input(v->conn) && flush(v, false) < 0)
		return NEXT_END;
	if (conn_input_now(v->conn, &in, &v->end) < 0)
		return NEXT_END;
	if (in.n == 0)
		return NEXT_WAIT;
	conn_consume_secret(v->conn, v->core->feed(v->login, in));
	if (v->exchange != NULL && !v->core->exchanging(v->login))
		auth_sasl_abort(&v->exchange);
	return NEXT_STEP;
}

/* rename_client - and what is offered to whom it speaks for now */
static int rename_client(struct visit *v)
{
	struct proxy_xclient said;
	bool understood = proxy_xclient(v->core->peer(v->login), &said);

	v->may_name = false;
	if (understood) {
		conn_set_client(v->conn, &said.client);
		conn_address(v->conn, v->client);
	}
	if (ask_offer(v) < 0)
		return -1;
	v->capa.apop = false; /* the greeting was for another */
	v->core->peer_known(v->login, understood, &v->capa);
	return 0;
}

/* make_challenge - RFC 1939 s7: never the same again, and nobody can guess it */
static void make_challenge(const struct visit *v, struct buf *out)
{
	uint64_t random[2];

	must(getrandom(random, sizeof random, 0) == sizeof random);
	buf_printf(out, "<%" PRIx64 ".%" PRIx64 "@%s>", random[0], random[1],
		   v->front->set->hostname);
}

/* ---- the hand-over ------------------------------------------------------------------ */

static int write_note(struct visit *v, struct buf *note)
{
	struct handover *h = &v->handover;
	struct conn *c = v->conn;

	snprintf(h->peer, sizeof h->peer, "%s", c->peer);
	snprintf(h->sid, sizeof h->sid, "%s", c->sid);
	snprintf(h->mechanisms, sizeof h->mechanisms, "%s", v->offer.mechanisms);
	snprintf(h->server, sizeof h->server, "%s", asker(v).server);
	h->loopback = c->loopback;
	h->tls = v->tls;
	h->plaintext = v->capa.plaintext;
	h->unread = STR("");
	if (conn_has_input(c) && conn_input(c, &h->unread, &v->end) < 0)
		return -1;
	if (handover_write(h, note))
		return 0;
	return err_set(&v->end, ERR_TEMP, "4.3.0", "no note can be made of the login");
}

/* give - the socket itself, or under TLS one end of a pair */
static int give(struct visit *v, struct str note)
{
	int sessions = v->front->sessions;
	uint64_t end = v->conn->deadline_ms;

	if (conn_tls(v->conn) == NULL) {
		server_forget(v->conn);
		return handoff_give(sessions, v->conn->fd, note, end, &v->end);
	}
	v->pair = handoff_ask(sessions, note, end, &v->end);
	return v->pair < 0 ? -1 : 0;
}

static enum next hand_over(struct visit *v)
{
	struct buf note;
	int rc;

	/* Before the connection is another process's, too: nobody may cut it then. */
	v->is_in = false;
	if (crowd_leave(v->front->crowd, &v->place, &v->end) < 0)
		return NEXT_END;
	/* The answer to PASS follows at once. */
	if (flush(v, true) < 0)
		return NEXT_END;
	/* From now on a stop must not touch the socket: it is another process's, too. */
	conn_busy(v->conn, conn_tls(v->conn) == NULL);
	buf_init(&note, HANDOFF_NOTE_MAX);
	rc = write_note(v, &note);
	if (rc == 0)
		rc = give(v, buf_str(&note));
	buf_fini(&note);
	if (rc == 0) {
		conn_consume(v->conn, v->handover.unread.n);
		return NEXT_END;
	}
	v->core->log_no_session(v->conn->sid, v->handover.account, &v->end);
	return after(say_why_not(v, v->core->no_session, "no session"));
}

/* ---- the conversation, again ------------------------------------------------------- */

static enum next talk(struct visit *v)
{
	switch (v->core->want(v->login)) {
	case LOGIN_WANT_INPUT:
		return read_some(v);
	case LOGIN_WANT_WRITE:
		return after(flush(v, false));
	case LOGIN_WANT_CHECK:
		return check(v);
	case LOGIN_WANT_TLS:
		return after(stls(v));
	case LOGIN_WANT_PEER:
		return after(rename_client(v));
	case LOGIN_WANT_HAND_OVER:
		return hand_over(v);
	case LOGIN_WANT_CLOSE:
		break;
	}
	if (flush(v, false) == 0)
		err_set(&v->end, ERR_PEER, "4.0.0", "said goodbye");
	return NEXT_END;
}

static enum next no_authd(struct visit *v)
{
	v->core->log_failure(v->conn, true, &v->end);
	return after(say_why_not(v, v->core->no_authd, "authd is away"));
}

static enum next greet(struct visit *v)
{
	struct buf challenge;

	if (ask_offer(v) < 0)
		return no_authd(v);
	buf_init(&challenge, 400);
	if (v->capa.apop)
		make_challenge(v, &challenge);
	v->login = v->door == FRONT_RETURN
			   ? v->core->again(&v->capa)
			   : v->core->new (str_of(v->front->set->hostname),
					   buf_str(&challenge), &v->capa);
	buf_fini(&challenge);
	v->phase = talk;
	return NEXT_STEP;
}

/* ---- who comes ----------------------------------------------------------------------- */

static int let_in(struct visit *v)
{
	bool counted =
		!v->may_name && (!v->conn->loopback || v->front->limits.count_loopback);
	enum crowd_verdict verdict =
		crowd_enter(v->front->crowd, counted ? str_of(v->client) : STR(""),
			    v->conn, &v->place);

	v->is_in = verdict == CROWD_IN;
	if (v->is_in)
		return 0;
	return err_set(&v->end, ERR_PEER, "4.3.2", "%s", crowd_why(verdict));
}

/* enter - the crowd, and what a stranger's time is */
static enum next enter(struct visit *v)
{
	struct err ignore;

	conn_address(v->conn, v->client);
	if (let_in(v) < 0) {
		if (v->door != FRONT_TLS)
			(void)!conn_write(v->conn, v->core->busy, false, &ignore);
		return NEXT_END;
	}
	conn_deadline(v->conn, (uint32_t)(v->front->limits.login_timeout_s * 1000));
	if (v->door == FRONT_TLS)
		return after(begin_tls(v));
	v->phase = greet;
	return NEXT_STEP;
}

static enum next arrive(struct visit *v)
{
	const struct front_limits *limits = &v->front->limits;

	if (conn_read_proxy(v->conn, limits->proxy_networks, &v->end) < 0)
		return NEXT_END;
	/* Whom the proxy speaks for, not the proxy. */
	v->may_name = limits->xclient_networks != NULL &&
		      network_list_has_peer(limits->xclient_networks, v->conn->peer);
	return enter(v);
}

/* come_back - from a session whose user has logged out, and the connection stays; where it
 * speaks TLS, that is with the login process that it came by at first */
static enum next come_back(struct visit *v)
{
	struct handover *h = &v->handover;
	struct conn *c = v->conn;

	if (handover_read(c->note, h, &v->end) < 0) {
		v->core->log_no_session(c->sid, "", &v->end);
		return NEXT_END;
	}
	conn_introduce(c, str_of(h->peer), str_of(h->sid), h->loopback);
	conn_unread(c, h->unread);
	v->tls = h->tls;
	return enter(v);
}

/* ---- a connection -------------------------------------------------------------------- */

static struct visit *visit_new(const struct front *f, struct conn *c,
			       enum front_door door)
{
	struct visit *v = xalloc(sizeof *v);

	*v = (struct visit){.front = f,
			    .core = f->core,
			    .conn = c,
			    .door = door,
			    .phase = door == FRONT_RETURN ? come_back : arrive,
			    .pair = -1};
	conn_read_little(c, HANDOVER_UNREAD);
	buf_init(&v->exporter, TLS_BINDING_MAX);
	buf_init(&v->end_point, TLS_BINDING_MAX);
	buf_init(&v->subject, CERTIFICATE_OCTETS);
	buf_init(&v->names, CERTIFICATE_OCTETS);
	return v;
}

static void visit_free(struct visit **out)
{
	struct visit *v = *out;

	auth_abandon(&v->call);
	auth_sasl_abort(&v->exchange);
	let_go(v);
	conn_deadline(v->conn, 0);
	v->core->free(&v->login);
	if (v->is_in)
		(void)!crowd_leave(v->front->crowd, &v->place, &v->end);
	buf_fini(&v->exporter);
	buf_fini(&v->end_point);
	buf_fini(&v->subject);
	buf_fini(&v->names);
	xfree(out);
}

/* What a connection is in this process: first a visit, then, under TLS, a relay. */
struct guest {
	struct visit *visit;
	struct relay *relay;
	bool room_too; /* what the relay waits for besides octets */
};

/* trim - A handshake takes several times as much memory as what stays of it, and what stays
 * lies between what was freed: whole pages, which the C library gives back only if it is told
 * to.  That takes some milliseconds where there are many relays, and a handshake takes one. */
static void trim(void)
{
	static atomic_uint relays;

	if (atomic_fetch_add(&relays, 1) % TRIM_EVERY < TRIM_EVERY - 1)
		return;
	server_pass_on();
	malloc_trim(0);
}

/* end_visit - what a login needs is no burden to a relay */
static void end_visit(struct guest *g, struct conn *c)
{
	int pair = g->visit->pair;
	struct err ignored;

	if (g->visit->end.sys == ETIMEDOUT && g->visit->phase == talk &&
	    g->visit->core->too_slow.n > 0)
		(void)!conn_write(c, g->visit->core->too_slow, false, &ignored);
	if (g->visit->end.class != ERR_NONE) /* most of these are probes and port scans */
		g->visit->core->log_end(c, &g->visit->end);
	visit_free(&g->visit);
	if (pair < 0)
		return;
	trim();
	g->relay = relay_new(c, pair);
	server_watch(c, pair, false);
}

static bool relay(struct guest *g, struct conn *c)
{
	bool room_too = g->room_too;
	struct err ignored;
	int pair;

	if (!relay_step(g->relay, &ignored))
		return false;
	pair = relay_pair(g->relay, &g->room_too);
	if (g->room_too != room_too)
		server_watch(c, pair, g->room_too);
	return true;
}

/* guest_step - false when there is nothing left of it */
static bool guest_step(struct guest *g, struct conn *c)
{
	enum next next = NEXT_STEP;

	while (g->visit != NULL && next == NEXT_STEP)
		next = g->visit->phase(g->visit);
	if (next == NEXT_WAIT)
		return true;
	if (g->visit != NULL)
		end_visit(g, c);
	return g->relay != NULL && relay(g, c);
}

bool front_step(const struct front *f, struct conn *c, enum front_door door)
{
	struct guest *g = c->session;

	if (g == NULL) {
		g = c->session = xalloc(sizeof *g);
		g->visit = visit_new(f, c, door);
	}
	if (guest_step(g, c))
		return true;
	relay_free(&g->relay);
	xfree(&g);
	c->session = NULL;
	return false;
}
