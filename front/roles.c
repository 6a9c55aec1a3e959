/* SPDX-License-Identifier: ISC */
#include "front/roles.h"

#include <stdio.h>
#include <sys/prctl.h>

#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "store/store.h"

/* One a process: program_main() hands nothing on to what it runs. */
static const struct roles *self;

/* What both roles want of lib/server.h. */
static struct server server_for(const struct roles_settings *x)
{
	return (struct server){
		.program = self->program,
		.idle_ms = (uint32_t)(x->idle_timeout_s * 1000),
		.busy = self->core->busy,
	};
}

/* ---- sessions ------------------------------------------------------------------------ */

struct sessions {
	struct store *store;
	struct ticket_key key;
	int back;
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

	if (self->back != NULL) /* what is read here may have to go back in a note */
		conn_read_little(c, HANDOVER_UNREAD);
	if (believe(s, c, &h, &e) == 0) {
		conn_unread(c, h.unread);
		return self->begin(s->store, c, &h, s->back);
	}
	self->core->log_no_session(c->sid, h.account, &e);
	(void)!conn_write(c, self->core->no_session, false, &ignore);
	return NULL;
}

static bool serve(struct conn *c, int protocol UNUSED, void *ctx)
{
	struct session *x = c->session;

	if (x == NULL)
		x = c->session = begin(ctx, c);
	if (x == NULL || self->step(x))
		return x != NULL;
	self->end(&x);
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

static int enter_session(void *ctx, struct err *e)
{
	const struct sessions *s = ctx;

	return role_enter(self->session, store_settings(s->store), e);
}

static int open_back(struct sessions *s, struct err *e)
{
	s->back = self->back != NULL ? server_channel(self->back, e) : -1;
	return self->back != NULL && s->back < 0 ? -1 : 0;
}

/* The name of the end of a channel that takes. */
enum { END_NAME = 40 };

static void taking_end(const char *channel, char out[END_NAME])
{
	snprintf(out, END_NAME, "%s.take", channel);
}

static int run_sessions(const struct settings *set, struct err *e)
{
	struct roles_settings x = self->settings(set);
	struct server server = server_for(&x);
	char name[END_NAME];
	const struct server_listen listen = {
		.name = name, .handoff = true, .introduced = true};
	struct sessions s;
	int rc = -1;

	if (read_key(&s.key, e) < 0 || open_back(&s, e) < 0 ||
	    store_open(set, &s.store, e) < 0)
		return -1;
	taking_end(self->sessions, name);
	server.listen = &listen;
	server.n_listen = 1;
	server.max_connections = (uint32_t)x.max_connections;
	server.late = self->core->no_session;
	server.step = serve;
	server.enter = enter_session;
	server.ctx = &s;
	if (store_probe(s.store, self->log_doubt, e) == 0)
		rc = server_run(&server, e);
	store_close(&s.store);
	return rc;
}

/* ---- before login ---------------------------------------------------------------------- */

static bool greet(struct conn *c, int protocol, void *ctx)
{
	return front_step(ctx, c, (enum front_door)protocol);
}

static int enter_login(void *ctx, struct err *e)
{
	const struct front *f = ctx;

	return role_enter(self->login, f->set, e);
}

/* Those who have logged in stay, as relays, if they speak TLS: up to all of them.  And those
 * before login twice: some have given way, and go. */
static uint32_t max_connections(const struct roles_settings *x)
{
	return (uint32_t)(2 * x->crowd.all + x->max_connections * x->workers);
}

static int serve_logins(struct front *f, const struct roles_settings *x, struct err *e)
{
	static const struct conf_list none;
	const struct conf_list *tls = x->tls_listen != NULL ? x->tls_listen : &none;
	struct server server = server_for(x);
	struct server_listen listen[3];
	char back[END_NAME];
	size_t n = 0;

	listen[n++] = (struct server_listen){.name = self->door,
					     .addresses = x->listen->v,
					     .n = x->listen->n,
					     .protocol = FRONT_CLEAR};
	if (self->tls_door != NULL)
		listen[n++] = (struct server_listen){.name = self->tls_door,
						     .addresses = tls->v,
						     .n = tls->n,
						     .protocol = FRONT_TLS,
						     .mute = true};
	if (self->back != NULL) {
		taking_end(self->back, back);
		listen[n++] = (struct server_listen){.name = back,
						     .handoff = true,
						     .introduced = true,
						     .protocol = FRONT_RETURN};
	}
	server.listen = listen;
	server.n_listen = n;
	server.max_connections = max_connections(x);
	server.late = self->core->busy;
	server.step = greet;
	server.enter = enter_login;
	server.ctx = f;
	return server_run(&server, e);
}

static int open_front(struct front *f, const struct roles_settings *x, struct err *e)
{
	int channel;

	if (tls_context_new(f->set, self->core->service, &f->tls, e) < 0)
		return -1;
	if (f->tls == NULL && x->tls_listen != NULL && x->tls_listen->n > 0)
		return err_set(e, ERR_PERM, "5.3.5",
			       "%s.tls_listen: there is no tls.certificate", self->door);
	f->sessions = server_channel(self->sessions, e);
	channel = server_channel("auth", e);
	if (f->sessions < 0 || channel < 0)
		return -1;
	f->auth = auth_new(channel);
	f->crowd = crowd_new(&x->crowd);
	return 0;
}

static int run_logins(const struct settings *set, struct err *e)
{
	struct roles_settings x = self->settings(set);
	struct front f = {
		.set = set, .core = self->core, .limits = x.front, .sessions = -1};
	int rc = -1;

	/* So that ps(1) tells the two roles apart. */
	prctl(PR_SET_NAME, "popstore-login");
	if (open_front(&f, &x, e) == 0)
		rc = serve_logins(&f, &x, e);
	crowd_free(&f.crowd);
	auth_free(&f.auth);
	tls_context_free(&f.tls);
	return rc;
}

int roles_main(const struct roles *r, int argc, char **argv)
{
	bool login = program_option(&argc, argv, "--login");
	const struct program program = {r->program, login ? run_logins : run_sessions,
					r->log_start};

	self = r;
	return program_main(&program, argc, argv);
}
