/* SPDX-License-Identifier: ISC */
/*
 * popstore-pop3d - glue: arguments, settings, and what a connection is to the server
 *
 * One program, two roles.  With --login it talks to clients that have not logged in, and
 * goes on as the TLS end of those that have; without, it serves those that have.
 */
#include <sys/prctl.h>

#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "popd/front.h"
#include "popd/session.h"
#include "store/role.h"
#include "store/store.h"

#define PROGRAM "popstore-pop3d"
#define BUSY    "-ERR [SYS/TEMP] too many connections, try again later\r\n"
#define LATE    "-ERR [SYS/TEMP] no session now, try again later\r\n"

/* What both roles want of lib/server.h. */
static struct server server_for(const struct settings *set)
{
	return (struct server){
		.program = PROGRAM,
		.idle_ms = (uint32_t)(set->pop3.idle_timeout_s * 1000),
		.busy = STR_INIT(BUSY),
	};
}

/* ---- sessions ------------------------------------------------------------------------ */

struct sessions {
	struct store *store;
	struct ticket_key key;
};

/* believe - what a login process says, as far as authd has signed it */
static int believe(const struct sessions *s, struct conn *c, struct handover *h,
		   struct err *e)
{
	struct ticket t;

	if (handover_read(c->note, h, e) < 0)
		return -1;
	conn_introduce(c, str_of(h->peer), str_of(h->sid), h->loopback);
	t = (struct ticket){
		.account = str_of(h->account), .sid = str_of(h->sid), .uid = h->uid};
	if (ticket_is_good(&s->key, &t, str_of(h->ticket), clock_unix_ms())) {
		h->profile = t.profile;
		return 0;
	}
	return err_set(e, ERR_TEMP, "4.7.0", "the ticket is forged, or void by now");
}

/* begin - NULL: there is no session */
static struct session *begin(const struct sessions *s, struct conn *c)
{
	struct handover h;
	struct err e, ignore;

	if (believe(s, c, &h, &e) == 0) {
		conn_unread(c, h.unread);
		return session_begin(s->store, c, &h);
	}
	log_event(LOG_LV_ERROR, "pop3.handover.failed", kv_s("sid", c->sid),
		  kv_s("account", h.account), kv_err(&e));
	(void)!conn_write(c, STR(LATE), false, &ignore);
	return NULL;
}

static bool serve(struct conn *c, int protocol UNUSED, void *ctx)
{
	struct session *x = c->session;

	if (x == NULL)
		x = c->session = begin(ctx, c);
	if (x == NULL || session_step(x))
		return x != NULL;
	session_end(&x);
	c->session = NULL;
	return false;
}

static int read_key(struct ticket_key *key, struct err *e)
{
	int fd;

	if (server_inherited("ticket", &fd, 1) == 0)
		return err_set(e, ERR_PERM, "5.3.5",
			       "no \"ticket\": this program is started by popstored");
	return ticket_key_read(fd, key, e);
}

static void doubt(const struct err *why)
{
	log_event(LOG_LV_WARN, "pop3.disk.doubted", kv_err(why));
}

static int enter_session(void *ctx, struct err *e)
{
	const struct sessions *s = ctx;

	return role_enter(ROLE_POP3, store_settings(s->store), e);
}

static int run_sessions(const struct settings *set, struct err *e)
{
	const struct server_listen listen = {
		.name = "session.take", .handoff = true, .introduced = true};
	struct server server = server_for(set);
	struct sessions s;
	int rc = -1;

	if (read_key(&s.key, e) < 0 || store_open(set, &s.store, e) < 0)
		return -1;
	server.listen = &listen;
	server.n_listen = 1;
	server.max_connections = (uint32_t)set->pop3.max_connections;
	server.late = STR(LATE);
	server.step = serve;
	server.enter = enter_session;
	server.ctx = &s;
	if (store_probe(s.store, doubt, e) == 0)
		rc = server_run(&server, e);
	store_close(&s.store);
	return rc;
}

/* ---- before login ---------------------------------------------------------------------- */

enum { CLEAR_FIRST, TLS_FIRST };

static bool greet(struct conn *c, int protocol, void *ctx)
{
	return front_step(ctx, c, protocol == TLS_FIRST);
}

static int enter_login(void *ctx, struct err *e)
{
	const struct front *f = ctx;

	return role_enter(ROLE_POP3_LOGIN, f->set, e);
}

/* Those who have logged in stay, as relays, if they speak TLS: up to all of them.  And those
 * before login twice: some have given way, and go. */
static uint32_t max_connections(const struct settings *set)
{
	return (uint32_t)(2 * set->pop3.max_login_connections +
			  set->pop3.max_connections * set->pop3.workers);
}

static int serve_logins(struct front *f, struct err *e)
{
	const struct settings *set = f->set;
	const struct server_listen listen[] = {
		{.name = "pop3",
		 .addresses = set->pop3.listen.v,
		 .n = set->pop3.listen.n,
		 .protocol = CLEAR_FIRST},
		{.name = "pop3s",
		 .addresses = set->pop3.tls_listen.v,
		 .n = set->pop3.tls_listen.n,
		 .protocol = TLS_FIRST,
		 .mute = true},
	};
	struct server server = server_for(set);

	server.listen = listen;
	server.n_listen = countof(listen);
	server.max_connections = max_connections(set);
	server.step = greet;
	server.enter = enter_login;
	server.ctx = f;
	return server_run(&server, e);
}

static int open_front(struct front *f, struct err *e)
{
	const struct settings *set = f->set;
	int channel;

	if (tls_context_new(set, "pop3", &f->tls, e) < 0)
		return -1;
	if (f->tls == NULL && set->pop3.tls_listen.n > 0)
		return err_set(e, ERR_PERM, "5.3.5",
			       "pop3.tls_listen: there is no tls.certificate");
	f->sessions = server_channel("session", e);
	channel = server_channel("auth", e);
	if (f->sessions < 0 || channel < 0)
		return -1;
	f->auth = auth_new(channel);
	f->crowd = crowd_new(&(struct crowd_limits){set->pop3.max_login_connections,
						    set->pop3.max_per_address,
						    set->pop3.max_per_network});
	return 0;
}

static int run_logins(const struct settings *set, struct err *e)
{
	struct front f = {.set = set, .sessions = -1};
	int rc = -1;

	/* So that ps(1) tells the two roles apart. */
	prctl(PR_SET_NAME, "popstore-login");
	if (open_front(&f, e) == 0)
		rc = serve_logins(&f, e);
	crowd_free(&f.crowd);
	auth_free(&f.auth);
	tls_context_free(&f.tls);
	return rc;
}

static void failed(const struct err *e)
{
	log_event(LOG_LV_ERROR, "pop3.start.failed", kv_err(e));
}

int main(int argc, char **argv)
{
	bool login = program_option(&argc, argv, "--login");
	const struct program program = {PROGRAM, login ? run_logins : run_sessions,
					failed};

	return program_main(&program, argc, argv);
}
