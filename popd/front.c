/* SPDX-License-Identifier: ISC */
#include "popd/front.h"

#include <string.h>

#include "lib/log.h"
#include "popd/login.h"

struct front {
	struct conn *conn;
	struct auth *auth;
	struct login *login;
	struct handover *out;
};

static bool plaintext_allowed(const struct settings *set, const struct conn *c)
{
	switch ((enum settings_plaintext)set->auth.plaintext_without_tls) {
	case PLAINTEXT_ALWAYS:
		return true;
	case PLAINTEXT_LOOPBACK:
		return c->loopback;
	case PLAINTEXT_NEVER:
		break;
	}
	return false;
}

static void log_failure(const struct front *f, enum log_level level, const char *event,
			const struct err *e)
{
	log_event(level, event, kv_s("sid", f->conn->sid), kv_s("peer", f->conn->peer),
		  kv_str("user", login_user(f->login)), kv_err(e));
}

static void check(struct front *f)
{
	struct err e = {0};

	switch (auth_password(f->auth, login_user(f->login), login_password(f->login),
			      &f->out->account, &e)) {
	case AUTH_OK:
		login_accepted(f->login);
		break;
	case AUTH_REFUSED:
		log_failure(f, LOG_LV_WARN, "pop3.login.refused", &e);
		login_refused(f->login);
		break;
	case AUTH_TRY_AGAIN:
		log_failure(f, LOG_LV_ERROR, "pop3.login.failed", &e);
		login_try_again(f->login);
		break;
	}
}

static int flush(struct front *f, bool more, struct err *e)
{
	if (conn_write(f->conn, login_output(f->login), more, e) < 0)
		return -1;
	login_written(f->login);
	return 0;
}

/* read_some - waits when nothing is there, and says what is to be said before */
static int read_some(struct front *f, struct err *e)
{
	struct str in;

	if (!conn_has_input(f->conn) && flush(f, false, e) < 0)
		return -1;
	if (conn_input(f->conn, &in, e) < 0)
		return -1;
	conn_consume_secret(f->conn, login_feed(f->login, in));
	return 0;
}

static int step(struct front *f, enum login_want want, struct err *e)
{
	switch (want) {
	case LOGIN_WANT_INPUT:
		return read_some(f, e);
	case LOGIN_WANT_CHECK:
		check(f);
		return 0;
	case LOGIN_WANT_WRITE:
	case LOGIN_WANT_CLOSE:
		return flush(f, false, e);
	case LOGIN_WANT_HAND_OVER:
		return flush(f, true, e); /* the answer to PASS follows at once */
	}
	return -1;
}

bool front_run(const struct settings *set, struct auth *auth, struct conn *c,
	       struct handover *out)
{
	struct front f = {.conn = c, .auth = auth, .out = out};
	struct err e = {0};
	enum login_want want;
	int rc;

	out->capa = (struct capa){plaintext_allowed(set, c), set->pop3.login_delay_s};
	f.login = login_new(str_of(set->hostname), &out->capa);
	conn_deadline(c, (uint32_t)(set->pop3.login_timeout_s * 1000));
	do {
		want = login_want(f.login);
		rc = step(&f, want, &e);
	} while (rc == 0 && want != LOGIN_WANT_HAND_OVER && want != LOGIN_WANT_CLOSE);
	conn_deadline(c, 0);
	login_free(&f.login);
	if (rc == 0 && want == LOGIN_WANT_HAND_OVER)
		return true;
	/* Most of these are probes and port scans. */
	log_event(LOG_LV_DEBUG, "pop3.connection", kv_s("sid", c->sid),
		  kv_s("peer", c->peer), kv_s("end", rc < 0 ? e.text : "said goodbye"));
	return false;
}
