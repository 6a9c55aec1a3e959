/* SPDX-License-Identifier: ISC */
#include "auth/auth.h"

#include "auth/wire.h"
#include "lib/conn.h"
#include "lib/handoff.h"
#include "lib/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	AUTH_IDLE = 64,  /* conversations that are kept for the next question */
	AUTH_OFFERS = 8, /* offers that are remembered */
};

/* A conversation with authd, and room for one question. */
struct line {
	int fd; /* -1: it is not begun */
	struct wire question, answer;
};

/* An offer that holds whoever the client is, as long as that authd lives. */
struct offer {
	char service[16], server[112]; /* "" is a free place */
	unsigned connection;           /* enum facts */
	struct auth_offer offer;
};

struct auth {
	int channel;
	pthread_mutex_t lock;
	struct line *idle[AUTH_IDLE];
	size_t n_idle;
	struct offer offers[AUTH_OFFERS];
	size_t next_offer;
};

struct auth_exchange {
	struct auth *auth;
	struct line *line;
	uint64_t peer_ms; /* as of its first question */
};

struct auth_call {
	struct auth *auth;
	struct line *line;
	bool begins; /* no answer but a challenge goes on */
	bool again;  /* where nothing came of it, it may be asked by a new conversation */
	uint64_t peer_ms; /* the end of the peer's patience; 0: it has none */
	uint64_t end_ms;  /* when the answer has to be here */
	struct err failed;
};

static struct line *line_new(void)
{
	struct line *l = xalloc(sizeof *l);

	l->fd = -1;
	wire_init(&l->question);
	wire_init(&l->answer);
	return l;
}

static void hang_up(struct line *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static void line_free(struct line **l)
{
	hang_up(*l);
	wire_fini(&(*l)->question);
	wire_fini(&(*l)->answer);
	xfree(l);
}

struct auth *auth_new(int owned_channel)
{
	struct auth *a = xalloc(sizeof *a);

	a->channel = owned_channel;
	must(pthread_mutex_init(&a->lock, NULL) == 0);
	return a;
}

void auth_free(struct auth **a)
{
	if (*a == NULL)
		return;
	for (size_t i = 0; i < (*a)->n_idle; i++)
		line_free(&(*a)->idle[i]);
	if ((*a)->channel >= 0)
		close((*a)->channel);
	pthread_mutex_destroy(&(*a)->lock);
	xfree(a);
}

void auth_answer_init(struct auth_answer *a)
{
	*a = (struct auth_answer){.result = AUTH_TRY_AGAIN};
	buf_init(&a->data, AUTH_DATA_MAX);
}

void auth_answer_fini(struct auth_answer *a)
{
	buf_fini(&a->data);
}

/* ---- conversations ----------------------------------------------------------------- */

/* take_line - an idle one, or one that is yet to be begun */
static struct line *take_line(struct auth *a)
{
	struct line *l = NULL;

	must(pthread_mutex_lock(&a->lock) == 0);
	if (a->n_idle > 0)
		l = a->idle[--a->n_idle];
	must(pthread_mutex_unlock(&a->lock) == 0);
	return l != NULL ? l : line_new();
}

static void give_back(struct auth *a, struct line *l)
{
	wire_clear(&l->question);
	wire_clear(&l->answer);
	must(pthread_mutex_lock(&a->lock) == 0);

	bool keep = l->fd >= 0 && a->n_idle < AUTH_IDLE;

	if (keep)
		a->idle[a->n_idle++] = l;
	must(pthread_mutex_unlock(&a->lock) == 0);
	if (!keep)
		line_free(&l);
}

static void forget_offers(struct auth *a)
{
	must(pthread_mutex_lock(&a->lock) == 0);
	memset(a->offers, 0, sizeof a->offers);
	must(pthread_mutex_unlock(&a->lock) == 0);
}

static int late(struct err *e)
{
	err_set(e, ERR_TEMP, "4.3.0", "authd does not answer in time");
	e->sys = ETIMEDOUT;
	return -1;
}

/* wait_for - for room or for octets, up to the moment `end` */
static int wait_for(int fd, short what, uint64_t end, struct err *e)
{
	for (;;) {
		uint64_t now = clock_ms();
		struct pollfd p = {.fd = fd, .events = what};
		int n = now < end ? poll(&p, 1, (int)(end - now)) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return late(e);
		if (errno != EINTR)
			return err_sys(e, "wait for authd");
	}
}

static int send_all(int fd, struct str out, uint64_t end, struct err *e)
{
	while (out.n > 0) {
		ssize_t n = send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			out = (struct str){out.p + n, out.n - (size_t)n};
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, "write to authd");
		else if (wait_for(fd, POLLOUT, end, e) < 0)
			return -1;
	}
	return 0;
}

static int took_in(struct wire *m, struct str piece, struct err *e)
{
	size_t used;

	if (wire_feed(m, piece, &used) == WIRE_BROKEN)
		return err_set(e, ERR_TEMP, "4.3.0", "authd's answer is broken: %s",
			       wire_broken(m));
	/* It speaks when it is asked: more than one answer is no answer. */
	if (used != piece.n)
		return err_set(e, ERR_TEMP, "4.3.0", "authd answers more than was asked");
	return 0;
}

static int send_question(struct auth_call *c, struct err *e)
{
	return send_all(c->line->fd, buf_str(&c->line->question.text), c->end_ms, e);
}

/* dial_and_send - by a new conversation */
static int dial_and_send(struct auth_call *c, struct err *e)
{
	struct line *l = c->line;

	c->again = false;
	hang_up(l);
	l->fd = handoff_ask(c->auth->channel, STR("auth"), c->end_ms, e);
	return l->fd < 0 ? -1 : send_question(c, e);
}

/* send_again - an idle conversation may be dead, since authd was started again: nothing has
 * come of the question then, and a new one takes it.  One that says nothing is not dead: who
 * asked twice would wait twice. */
static int send_again(struct auth_call *c, struct err *e)
{
	if (!c->again || c->line->answer.text.n > 0 || e->sys == ETIMEDOUT)
		return -1;
	forget_offers(c->auth);
	return dial_and_send(c, e);
}

static int start(struct auth_call *c, struct err *e)
{
	struct line *l = c->line;

	wire_clear(&l->answer);
	if (!wire_finish(&l->question))
		return err_set(e, ERR_PERM, "5.7.8", "more is said than authd takes");
	if (l->fd < 0)
		return dial_and_send(c, e);
	return send_question(c, e) == 0 ? 0 : send_again(c, e);
}

/* end_of - the peer's patience, or ours where it has more */
static uint64_t end_of(uint64_t peer_ms)
{
	uint64_t end = clock_ms() + AUTH_WAIT_MS;

	return peer_ms != 0 && peer_ms < end ? peer_ms : end;
}

enum kind { ONE_ANSWER, BEGINS_EXCHANGE, NEVER_AGAIN, STEP_OF_EXCHANGE };

/* call_new - the question is in l->question; `peer_ms` is the end of the peer's patience */
static struct auth_call *call_new(struct auth *a, struct line *l, enum kind kind,
				  uint64_t peer_ms)
{
	struct auth_call *c = xalloc(sizeof *c);

	*c = (struct auth_call){.auth = a,
				.line = l,
				.begins = kind == BEGINS_EXCHANGE ||
					  kind == STEP_OF_EXCHANGE,
				.again = kind == ONE_ANSWER || kind == BEGINS_EXCHANGE,
				.peer_ms = peer_ms,
				.end_ms = end_of(peer_ms)};
	if (start(c, &c->failed) == 0)
		c->failed = (struct err){0};
	return c;
}

static int hear_piece(struct line *l, struct err *e)
{
	char piece[4096];
	ssize_t n = recv(l->fd, piece, sizeof piece, MSG_DONTWAIT);

	if (n > 0)
		return took_in(&l->answer, (struct str){piece, (size_t)n}, e);
	if (n == 0)
		return err_set(e, ERR_TEMP, "4.3.0", "authd has closed the connection");
	if (errno == EAGAIN || errno == EINTR)
		return 1;
	return err_sys(e, "read from authd");
}

/* hear - what is there of the answer; false: it is not whole, and may become so */
static bool hear(struct auth_call *c)
{
	struct line *l = c->line;
	struct err e;
	int rc = 0;

	while (c->failed.class == ERR_NONE && l->answer.state != WIRE_WHOLE && rc != 1) {
		rc = hear_piece(l, &e);
		if (rc < 0 && send_again(c, &e) < 0)
			c->failed = e;
		if (rc == 1 && clock_ms() >= c->end_ms)
			return late(&c->failed) < 0;
	}
	return rc != 1;
}

/* await - the whole answer, or why there is none */
static void await(struct auth_call *c)
{
	server_pass_on();
	while (!hear(c)) {
		struct pollfd p = {.fd = c->line->fd, .events = POLLIN};
		uint64_t now = clock_ms();

		poll(&p, 1, now < c->end_ms ? (int)(c->end_ms - now) : 0);
	}
}

/* ---- what is asked ----------------------------------------------------------------- */

static void put_if(struct wire *m, const char *key, struct str value)
{
	if (value.n > 0)
		wire_put(m, key, value);
}

static void put_names(struct wire *m, struct str names)
{
	while (names.n > 0)
		put_if(m, "certificate-name", str_cut(&names, '\n'));
}

static struct wire *begin(struct line *l, const char *verb, const struct auth_peer *p)
{
	struct wire *m = &l->question;

	wire_put(m, "do", str_of(verb));
	put_if(m, "service", str_of(p->service));
	put_if(m, "sid", str_of(p->sid));
	put_if(m, "client", str_of(p->client));
	put_if(m, "server", str_of(p->server));
	if (p->tls)
		wire_put(m, "tls", STR("yes"));
	if (p->loopback)
		wire_put(m, "loopback", STR("yes"));
	if (p->exporter.n > 0)
		wire_put_base64(m, "exporter", p->exporter);
	if (p->end_point.n > 0)
		wire_put_base64(m, "end-point", p->end_point);
	put_if(m, "certificate-subject", p->certificate_subject);
	put_names(m, p->certificate_names);
	return m;
}

/* ---- what is answered -------------------------------------------------------------- */

static const struct {
	const char *word;
	enum auth_result result;
} words[] = {
	{"ok", AUTH_OK},
	{"challenge", AUTH_CHALLENGE},
	{"refused", AUTH_REFUSED},
	{"expired", AUTH_EXPIRED},
	{"rejected", AUTH_REJECTED},
	{"later", AUTH_TRY_AGAIN},
};

/* say_why - one line of text, whatever there is in `why` */
static void say_why(struct auth_answer *out, struct str why)
{
	snprintf(out->why, sizeof out->why, STR_FMT, STR_ARG(why));
	for (char *c = out->why; *c != '\0'; c++)
		if (str_has_control((struct str){c, 1}))
			*c = '?';
}

static int take_result(const struct wire *m, struct auth_answer *out)
{
	for (size_t i = 0; i < countof(words); i++)
		if (wire_is(m, "answer", words[i].word)) {
			out->result = words[i].result;
			return 0;
		}
	return -1;
}

/* take_text - false: it is not there, or is cut, or is no text */
static bool take_text(const struct wire *m, const char *key, char *out, size_t size)
{
	struct buf text;
	bool good;

	buf_init(&text, size - 1);
	good = wire_get(m, key, &text) && !buf_over(&text) && text.n > 0 &&
	       !str_has_control(buf_str(&text));
	if (good)
		memcpy(out, text.p, text.n + 1);
	buf_fini(&text);
	return good;
}

/* take_account - a login without a name, or with one that was cut, is none */
static int take_account(const struct wire *m, struct auth_answer *out)
{
	if (!take_text(m, "account", out->account, sizeof out->account) ||
	    !wire_get_u64(m, "uid", &out->uid))
		return -1;
	if (wire_has(m, "ticket") &&
	    !take_text(m, "ticket", out->ticket, sizeof out->ticket))
		return -1;
	return 0;
}

static int take_answer(const struct wire *m, struct auth_answer *out)
{
	struct buf why;
	uint64_t wait = 0;

	/* Of a step, it may hold what the one before said. */
	out->account[0] = out->ticket[0] = '\0';
	out->uid = 0;
	if (take_result(m, out) < 0)
		return -1;
	if (out->result == AUTH_OK && take_account(m, out) < 0)
		return -1;
	if (wire_has(m, "data") && !wire_get_base64(m, "data", &out->data))
		return -1;
	if (buf_over(&out->data))
		return -1;
	wire_get_u64(m, "wait", &wait);
	out->wait_ms = wait < AUTH_WAIT_MS ? (uint32_t)wait : AUTH_WAIT_MS;
	buf_init(&why, sizeof out->why - 1);
	wire_get(m, "why", &why);
	say_why(out, buf_str(&why));
	buf_fini(&why);
	return 0;
}

static void try_again(struct auth_answer *out, const char *why)
{
	buf_clear(&out->data);
	out->result = AUTH_TRY_AGAIN;
	out->account[0] = out->ticket[0] = '\0';
	say_why(out, str_of(why));
}

/* ---- calls ------------------------------------------------------------------------- */

int auth_call_fd(const struct auth_call *c)
{
	return c->line->fd;
}

static void fail(struct auth_answer *out, const struct err *e)
{
	try_again(out, e->text);
	/* What is longer than any name or password is a wrong one. */
	if (e->class == ERR_PERM)
		out->result = AUTH_REFUSED;
}

/* finish - the answer is there, or there is none; the line is hung up where that failed */
static void finish(struct auth_call *c, struct auth_answer *out)
{
	buf_clear(&out->data);
	if (c->failed.class != ERR_NONE) {
		fail(out, &c->failed);
		hang_up(c->line);
	} else if (take_answer(&c->line->answer, out) < 0) {
		try_again(out, "authd's answer makes no sense");
		hang_up(c->line);
	} else if (out->result == AUTH_CHALLENGE && !c->begins) {
		try_again(out, "authd asks where nothing is to be asked");
	}
}

/* settle - an exchange lives as long as there are challenges */
static void settle(struct auth_call **c, struct auth_exchange **x,
		   const struct auth_answer *out)
{
	bool goes_on = out->result == AUTH_CHALLENGE;

	if (x != NULL)
		*x = goes_on ? xalloc(sizeof **x) : NULL;
	if (goes_on)
		**x = (struct auth_exchange){(*c)->auth, (*c)->line, (*c)->peer_ms};
	else
		give_back((*c)->auth, (*c)->line);
	xfree(c);
}

bool auth_answered(struct auth_call **c, struct auth_exchange **x,
		   struct auth_answer *out)
{
	if (!hear(*c))
		return false;
	finish(*c, out);
	settle(c, x, out);
	return true;
}

void auth_wait(struct auth_call **c, struct auth_exchange **x, struct auth_answer *out)
{
	await(*c);
	finish(*c, out);
	settle(c, x, out);
}

void auth_abandon(struct auth_call **c)
{
	if (*c == NULL)
		return;
	/* What comes yet is no answer to the next question. */
	line_free(&(*c)->line);
	xfree(c);
}

/* ---- offers ------------------------------------------------------------------------ */

/* What of a connection an offer depends on, besides where it came in. */
enum facts { TLS = 1, LOOPBACK = 2, EXPORTER = 4, END_POINT = 8 };

static unsigned facts_of(const struct auth_peer *p)
{
	return (p->tls ? TLS : 0) | (p->loopback ? LOOPBACK : 0) |
	       (p->exporter.n > 0 ? EXPORTER : 0) | (p->end_point.n > 0 ? END_POINT : 0);
}

/* may_remember - certificates are of one client alone */
static bool may_remember(const struct auth_peer *p)
{
	const struct offer *o = NULL;
	struct str server = str_of(p->server);

	return p->certificate_subject.n == 0 && p->certificate_names.n == 0 &&
	       server.n > 0 && server.n < sizeof o->server &&
	       strlen(p->service) < sizeof o->service;
}

static bool recall(struct auth *a, const struct auth_peer *p, struct auth_offer *out)
{
	bool found = false;

	if (!may_remember(p))
		return false;
	must(pthread_mutex_lock(&a->lock) == 0);
	for (size_t i = 0; i < AUTH_OFFERS && !found; i++) {
		const struct offer *o = &a->offers[i];

		found = o->connection == facts_of(p) &&
			strcmp(o->server, p->server) == 0 &&
			strcmp(o->service, p->service) == 0;
		if (found)
			*out = o->offer;
	}
	must(pthread_mutex_unlock(&a->lock) == 0);
	return found;
}

static void remember(struct auth *a, const struct auth_peer *p,
		     const struct auth_offer *offer)
{
	struct offer *o;

	if (!may_remember(p))
		return;
	must(pthread_mutex_lock(&a->lock) == 0);
	o = &a->offers[a->next_offer++ % AUTH_OFFERS];
	snprintf(o->service, sizeof o->service, "%s", p->service);
	snprintf(o->server, sizeof o->server, "%s", p->server);
	o->connection = facts_of(p);
	o->offer = *offer;
	must(pthread_mutex_unlock(&a->lock) == 0);
}

static int take_offer(const struct wire *m, struct auth_offer *out, struct err *e)
{
	struct buf mechanisms;

	if (!wire_is(m, "answer", "offer"))
		return err_set(e, ERR_TEMP, "4.3.0", "authd makes no offer");
	out->password = wire_is(m, "password", "yes");
	out->apop = wire_is(m, "apop", "yes");
	out->any_client = wire_is(m, "client", "any");
	buf_init(&mechanisms, sizeof out->mechanisms - 1);
	wire_get(m, "mechanisms", &mechanisms);
	if (!buf_over(&mechanisms) && !str_has_control(buf_str(&mechanisms)))
		snprintf(out->mechanisms, sizeof out->mechanisms, "%s",
			 buf_cstr(&mechanisms));
	buf_fini(&mechanisms);
	return 0;
}

int auth_ask_offer(struct auth *a, const struct auth_peer *p, struct auth_offer *out,
		   struct err *e)
{
	struct auth_call *c;
	struct line *l;
	int rc = -1;

	*out = (struct auth_offer){0};
	if (recall(a, p, out))
		return 0;
	l = take_line(a);
	begin(l, "offer", p);
	c = call_new(a, l, ONE_ANSWER, p->end_ms);
	await(c);
	if (c->failed.class == ERR_NONE)
		rc = take_offer(&l->answer, out, e);
	else
		*e = c->failed;
	if (rc == 0 && out->any_client)
		remember(a, p, out);
	if (rc < 0)
		hang_up(l);
	give_back(a, l);
	xfree(&c);
	return rc;
}

/* ---- questions --------------------------------------------------------------------- */

struct auth_call *auth_password(struct auth *a, const struct auth_peer *p,
				struct str user, struct str password)
{
	struct line *l = take_line(a);
	struct wire *m = begin(l, "password", p);

	wire_put(m, "user", user);
	wire_put(m, "password", password);
	return call_new(a, l, ONE_ANSWER, p->end_ms);
}

struct auth_call *auth_apop(struct auth *a, const struct auth_peer *p, struct str user,
			    struct str challenge, struct str digest)
{
	struct line *l = take_line(a);
	struct wire *m = begin(l, "apop", p);

	wire_put(m, "user", user);
	wire_put(m, "challenge", challenge);
	wire_put(m, "digest", digest);
	return call_new(a, l, ONE_ANSWER, p->end_ms);
}

struct auth_call *auth_change(struct auth *a, const struct auth_peer *p, struct str user,
			      struct str old, struct str new_password)
{
	/* Not an idle one: asked twice, the second time would find the old password wrong. */
	struct line *l = line_new();
	struct wire *m = begin(l, "change", p);

	wire_put(m, "user", user);
	wire_put(m, "password", old);
	wire_put(m, "new", new_password);
	return call_new(a, l, NEVER_AGAIN, p->end_ms);
}

/* ---- exchanges --------------------------------------------------------------------- */

struct auth_call *auth_sasl_begin(struct auth *a, const struct auth_peer *p,
				  struct str mechanism, const struct str *initial)
{
	struct line *l = take_line(a);
	struct wire *m = begin(l, "sasl", p);

	wire_put(m, "mechanism", mechanism);
	if (initial != NULL)
		wire_put_base64(m, "data", *initial);
	return call_new(a, l, BEGINS_EXCHANGE, p->end_ms);
}

struct auth_call *auth_sasl_step(struct auth_exchange **x, struct str response)
{
	struct auth *a = (*x)->auth;
	struct line *l = (*x)->line;
	uint64_t peer_ms = (*x)->peer_ms;

	xfree(x);
	wire_clear(&l->question);
	wire_put(&l->question, "do", STR("step"));
	wire_put_base64(&l->question, "data", response);
	return call_new(a, l, STEP_OF_EXCHANGE, peer_ms);
}

void auth_sasl_abort(struct auth_exchange **x)
{
	if (*x == NULL)
		return;
	/* The end of the conversation says it. */
	line_free(&(*x)->line);
	xfree(x);
}
