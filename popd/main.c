/* SPDX-License-Identifier: ISC */
/*
 * popstore-pop3d - glue: what POP3 tells front/roles.h
 */
#include <errno.h>

#include "front/roles.h"
#include "lib/log.h"
#include "popd/login.h"
#include "popd/session.h"

/* ---- the log ----------------------------------------------------------------------- */

static void log_failure(const struct conn *c, bool ours, const struct err *why)
{
	log_event(ours ? LOG_LV_ERROR : LOG_LV_WARN, "pop3.login.failed",
		  kv_s("sid", c->sid), kv_s("peer", c->peer), kv_err(why));
}

/* The channel is closed when popstored stops. */
static void log_no_session(const char *sid, const char *account, const struct err *why)
{
	log_event(why->sys == EPIPE ? LOG_LV_INFO : LOG_LV_ERROR, "pop3.handover.failed",
		  kv_s("sid", sid), kv_s("account", account), kv_err(why));
}

/* Most of these are probes and port scans. */
static void log_end(const struct conn *c, const struct err *end)
{
	log_event(LOG_LV_DEBUG, "pop3.connection", kv_s("sid", c->sid),
		  kv_s("peer", c->peer), kv_s("end", end->text));
}

static void log_doubt(const struct err *why)
{
	log_event(LOG_LV_WARN, "pop3.disk.doubted", kv_err(why));
}

static void log_start(const struct err *why)
{
	log_event(LOG_LV_ERROR, "pop3.start.failed", kv_err(why));
}

/* ---- the program ------------------------------------------------------------------- */

static const struct login_core core = {
	.service = "pop3",
	.busy = STR_INIT("-ERR [SYS/TEMP] too many connections, try again later\r\n"),
	.no_session = STR_INIT("-ERR [SYS/TEMP] no session now, try again later\r\n"),
	.no_authd = STR_INIT(
		"-ERR [SYS/TEMP] cannot check passwords now, try again later\r\n"),
	.new = login_new,
	.free = login_free,
	.want = login_want,
	.feed = login_feed,
	.output = login_output,
	.written = login_written,
	.question = login_question,
	.accepted = login_accepted,
	.challenge = login_challenge,
	.refused = login_refused,
	.expired = login_expired,
	.try_again = login_try_again,
	.exchanging = login_exchanging,
	.tls_begun = login_tls_begun,
	.peer = login_peer,
	.peer_known = login_peer_known,
	.log_failure = log_failure,
	.log_no_session = log_no_session,
	.log_end = log_end,
};

static struct roles_settings settings(const struct settings *set)
{
	return (struct roles_settings){
		.listen = &set->pop3.listen,
		.tls_listen = &set->pop3.tls_listen,
		.workers = set->pop3.workers,
		.max_connections = set->pop3.max_connections,
		.crowd = {set->pop3.max_login_connections, set->pop3.max_per_address,
			  set->pop3.max_per_network},
		.idle_timeout_s = set->pop3.idle_timeout_s,
		.front = {.proxy_networks = &set->pop3.proxy_networks,
			  .xclient_networks = &set->pop3.xclient_networks,
			  .login_timeout_s = set->pop3.login_timeout_s,
			  .login_delay_s = set->pop3.login_delay_s,
			  .count_loopback = set->pop3.count_loopback},
	};
}

static struct session *begin(struct store *store, struct conn *c,
			     const struct handover *h, int back UNUSED)
{
	return session_begin(store, c, h);
}

static const struct roles roles_of_pop3 = {
	.program = "popstore-pop3d",
	.core = &core,
	.login = ROLE_POP3_LOGIN,
	.session = ROLE_POP3,
	.door = "pop3",
	.tls_door = "pop3s",
	.sessions = "session",
	.settings = settings,
	.begin = begin,
	.step = session_step,
	.end = session_end,
	.log_doubt = log_doubt,
	.log_start = log_start,
};

int main(int argc, char **argv)
{
	return roles_main(&roles_of_pop3, argc, argv);
}
