/* SPDX-License-Identifier: ISC */
#include "auth/auth.h"

#include "auth/wire.h"
#include "lib/conn.h"
#include "lib/handoff.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that are kept for the next question; more are closed after their answer. */
enum { AUTH_IDLE = 16 };

struct auth {
	int channel;
	pthread_mutex_t lock;
	int idle[AUTH_IDLE];
	size_t n_idle;
};

struct auth_exchange {
	struct auth *auth;
	int fd;
	uint64_t end_ms; /* of the peer */
};

struct question {
	struct wire m;
	uint64_t end_ms; /* when the answer has to be here */
	bool once;       /* never by a conversation that may be dead */
};

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
		close((*a)->idle[i]);
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

/* ---- connections ------------------------------------------------------------------- */

static int take_idle(struct auth *a)
{
	must(pthread_mutex_lock(&a->lock) == 0);

	int fd = a->n_idle > 0 ? a->idle[--a->n_idle] : -1;

	must(pthread_mutex_unlock(&a->lock) == 0);
	return fd;
}

static void keep_idle(struct auth *a, int fd)
{
	must(pthread_mutex_lock(&a->lock) == 0);

	bool room = a->n_idle < AUTH_IDLE;

	if (room)
		a->idle[a->n_idle++] = fd;
	must(pthread_mutex_unlock(&a->lock) == 0);
	if (!room)
		close(fd);
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

static int receive(int fd, struct wire *m, uint64_t end, struct err *e)
{
	char piece[4096];
	int rc = 0;

	while (rc == 0 && m->state != WIRE_WHOLE) {
		ssize_t n;

		if (wait_for(fd, POLLIN, end, e) < 0)
			return -1;
		n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
		if (n == 0)
			rc = err_set(e, ERR_TEMP, "4.3.0",
				     "authd has closed the connection");
		else if (n > 0)
			rc = took_in(m, (struct str){piece, (size_t)n}, e);
		else if (errno != EAGAIN && errno != EINTR)
			rc = err_sys(e, "read from authd");
	}
	return rc;
}

/* end_of - the peer's patience, or ours where it has more */
static uint64_t end_of(uint64_t peer_ms)
{
	uint64_t end = clock_ms() + AUTH_WAIT_MS;

	return peer_ms != 0 && peer_ms < end ? peer_ms : end;
}

static int talk(int fd, const struct question *q, struct wire *answer, struct err *e)
{
	if (send_all(fd, buf_str(&q->m.text), q->end_ms, e) < 0)
		return -1;
	return receive(fd, answer, q->end_ms, e);
}

/* ask_idle - by a connection that was used before: 1 with its answer.  0: it was dead, since
 * authd was started again, and nothing has come of the question.  One that says nothing is
 * not dead: who asked twice would wait twice. */
static int ask_idle(struct auth *a, const struct question *q, struct wire *answer,
		    int *fd, struct err *e)
{
	*fd = q->once ? -1 : take_idle(a);
	if (*fd < 0)
		return 0;
	if (talk(*fd, q, answer, e) == 0)
		return 1;
	close(*fd);
	*fd = -1;
	return answer->text.n > 0 || e->sys == ETIMEDOUT ? -1 : 0;
}

/* ask - by a connection that is idle or a new one; the answer came by *fd, which stays
 * open */
static int ask(struct auth *a, struct question *q, struct wire *answer, int *fd,
	       struct err *e)
{
	int rc;

	*fd = -1;
	if (!wire_finish(&q->m))
		return err_set(e, ERR_PERM, "5.7.8", "more is said than authd takes");
	rc = ask_idle(a, q, answer, fd, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	*fd = handoff_ask(a->channel, STR("auth"), q->end_ms, e);
	if (*fd < 0)
		return -1;
	if (talk(*fd, q, answer, e) == 0)
		return 0;
	close(*fd);
	*fd = -1;
	return -1;
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

static void begin(struct question *q, const char *verb, const struct auth_peer *p)
{
	struct wire *m = &q->m;

	q->end_ms = end_of(p->end_ms);
	q->once = false;
	wire_init(m);
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

/* finish - asks, and fills the answer; *fd is what the answer came by, or -1 */
static void finish(struct auth *a, struct question *q, int *fd, struct auth_answer *out)
{
	struct wire m;
	struct err e = {0};

	wire_init(&m);
	if (ask(a, q, &m, fd, &e) < 0) {
		/* What is longer than any name or password is a wrong one. */
		try_again(out, e.text);
		if (e.class == ERR_PERM)
			out->result = AUTH_REFUSED;
	} else if (take_answer(&m, out) < 0) {
		close(*fd);
		*fd = -1;
		try_again(out, "authd's answer makes no sense");
	}
	wire_fini(&m);
	wire_fini(&q->m);
}

/* ask_once - of a question that has one answer */
static void ask_once(struct auth *a, struct question *q, struct auth_answer *out)
{
	int fd;

	finish(a, q, &fd, out);
	if (out->result == AUTH_CHALLENGE)
		try_again(out, "authd asks where nothing is to be asked");
	if (fd >= 0)
		keep_idle(a, fd);
}

/* ---- the interface ----------------------------------------------------------------- */

static int take_offer(const struct wire *m, struct auth_offer *out, struct err *e)
{
	struct buf mechanisms;

	if (!wire_is(m, "answer", "offer"))
		return err_set(e, ERR_TEMP, "4.3.0", "authd makes no offer");
	out->password = wire_is(m, "password", "yes");
	out->apop = wire_is(m, "apop", "yes");
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
	struct question q;
	struct wire answer;
	int fd;

	*out = (struct auth_offer){0};
	wire_init(&answer);
	begin(&q, "offer", p);

	int rc = ask(a, &q, &answer, &fd, e);

	if (rc == 0) {
		rc = take_offer(&answer, out, e);
		keep_idle(a, fd);
	}
	wire_fini(&q.m);
	wire_fini(&answer);
	return rc;
}

void auth_password(struct auth *a, const struct auth_peer *p, struct str user,
		   struct str password, struct auth_answer *out)
{
	struct question q;

	begin(&q, "password", p);
	wire_put(&q.m, "user", user);
	wire_put(&q.m, "password", password);
	ask_once(a, &q, out);
}

void auth_apop(struct auth *a, const struct auth_peer *p, struct str user,
	       struct str challenge, struct str digest, struct auth_answer *out)
{
	struct question q;

	begin(&q, "apop", p);
	wire_put(&q.m, "user", user);
	wire_put(&q.m, "challenge", challenge);
	wire_put(&q.m, "digest", digest);
	ask_once(a, &q, out);
}

void auth_change(struct auth *a, const struct auth_peer *p, struct str user,
		 struct str old, struct str new_password, struct auth_answer *out)
{
	struct question q;

	begin(&q, "change", p);
	wire_put(&q.m, "user", user);
	wire_put(&q.m, "password", old);
	wire_put(&q.m, "new", new_password);
	/* Asked twice, the second time would find the old password wrong. */
	q.once = true;
	ask_once(a, &q, out);
}

/* ---- exchanges --------------------------------------------------------------------- */

/* settle - the exchange lives as long as there are challenges */
static void settle(struct auth_exchange **x, const struct auth_exchange *now,
		   const struct auth_answer *out)
{
	if (now->fd >= 0 && out->result == AUTH_CHALLENGE) {
		if (*x == NULL)
			*x = xalloc(sizeof **x);
		**x = *now;
		return;
	}
	if (now->fd >= 0)
		keep_idle(now->auth, now->fd);
	xfree(x);
}

void auth_sasl_begin(struct auth *a, const struct auth_peer *p, struct str mechanism,
		     const struct str *initial, struct auth_exchange **x,
		     struct auth_answer *out)
{
	struct auth_exchange now = {.auth = a, .end_ms = p->end_ms};
	struct question q;

	*x = NULL;
	begin(&q, "sasl", p);
	wire_put(&q.m, "mechanism", mechanism);
	if (initial != NULL)
		wire_put_base64(&q.m, "data", *initial);
	finish(a, &q, &now.fd, out);
	settle(x, &now, out);
}

void auth_sasl_step(struct auth_exchange **x, struct str response,
		    struct auth_answer *out)
{
	struct auth_exchange now = **x;
	struct question q = {.end_ms = end_of(now.end_ms)};
	struct wire answer;
	struct err e = {0};

	wire_init(&q.m);
	wire_init(&answer);
	wire_put(&q.m, "do", STR("step"));
	wire_put_base64(&q.m, "data", response);
	buf_clear(&out->data);
	if (!wire_finish(&q.m))
		err_set(&e, ERR_PERM, "5.7.8", "more is said than authd takes");
	else if (talk(now.fd, &q, &answer, &e) == 0 && take_answer(&answer, out) < 0)
		err_set(&e, ERR_TEMP, "4.3.0", "authd's answer makes no sense");
	if (e.class != ERR_NONE) {
		try_again(out, e.text);
		if (e.class == ERR_PERM)
			out->result = AUTH_REFUSED;
		close(now.fd);
		now.fd = -1;
	}
	settle(x, &now, out);
	wire_fini(&answer);
	wire_fini(&q.m);
}

void auth_sasl_abort(struct auth_exchange **x)
{
	if (*x == NULL)
		return;
	/* The end of the connection says it. */
	close((*x)->fd);
	xfree(x);
}
