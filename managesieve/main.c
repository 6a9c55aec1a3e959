/* SPDX-License-Identifier: ISC */
/*
 * popstore-sieved - glue: what ManageSieve tells front/roles.h
 */
#include <errno.h>

#include "front/roles.h"
#include "lib/log.h"
#include "managesieve/login.h"
#include "managesieve/session.h"

/* ---- the log ----------------------------------------------------------------------- */

static void log_failure(const struct conn *c, bool ours, const struct err *why)
{
	log_event(ours ? LOG_LV_ERROR : LOG_LV_WARN, "managesieve.login.failed",
		  kv_s("sid", c->sid), kv_s("peer", c->peer), kv_err(why));
}

/* The channel is closed when popstored stops. */
static void log_no_session(const char *sid, const char *account, const struct err *why)
{
	log_event(why->sys == EPIPE ? LOG_LV_INFO : LOG_LV_ERROR,
		  "managesieve.handover.failed", kv_s("sid", sid),
		  kv_s("account", account), kv_err(why));
}

static void log_end(const struct conn *c, const struct err *end)
{
	log_event(LOG_LV_DEBUG, "managesieve.connection", kv_s("sid", c->sid),
		  kv_s("peer", c->peer), kv_s("end", end->text));
}

static void log_doubt(const struct err *why)
{
	log_event(LOG_LV_WARN, "managesieve.disk.doubted", kv_err(why));
}

static void log_start(const struct err *why)
{
	log_event(LOG_LV_ERROR, "managesieve.start.failed", kv_err(why));
}

/* ---- the program ------------------------------------------------------------------- */

static const struct login_core core = {
	.service = "sieve",
	.busy = STR_INIT("BYE (TRYLATER) \"too many connections, try again later\"\r\n"),
	.no_session = STR_INIT("BYE (TRYLATER) \"no session now, try again later\"\r\n"),
	.no_authd = STR_INIT("BYE (TRYLATER) \"cannot check passwords now, try again "
			     "later\"\r\n"),
	.too_slow = STR_INIT("BYE \"this took too long\"\r\n"),
	.last_word_later = true,
	.new = sieve_login_new,
	.again = sieve_login_again,
	.free = sieve_login_free,
	.want = sieve_login_want,
	.feed = sieve_login_feed,
	.output = sieve_login_output,
	.written = sieve_login_written,
	.question = sieve_login_question,
	.accepted = sieve_login_accepted,
	.challenge = sieve_login_challenge,
	.refused = sieve_login_refused,
	.expired = sieve_login_expired,
	.try_again = sieve_login_try_again,
	.exchanging = sieve_login_exchanging,
	.tls_begun = sieve_login_tls_begun,
	.log_failure = log_failure,
	.log_no_session = log_no_session,
	.log_end = log_end,
};

static struct roles_settings settings(const struct settings *set)
{
	return (struct roles_settings){
		.listen = &set->sieve.listen,
		.workers = set->sieve.workers,
		.max_connections = set->sieve.max_connections,
		.crowd = {set->sieve.max_login_connections, set->sieve.max_per_address,
			  set->sieve.max_per_network},
		.idle_timeout_s = set->sieve.idle_timeout_s,
		.front = {.proxy_networks = &set->sieve.proxy_networks,
			  .login_timeout_s = set->sieve.login_timeout_s},
	};
}

static const struct roles roles_of_managesieve = {
	.program = "popstore-sieved",
	.core = &core,
	.login = ROLE_SIEVE_LOGIN,
	.session = ROLE_SIEVE,
	.door = "sieve",
	.sessions = "sieve-session",
	.back = "sieve-back",
	.settings = settings,
	.begin = sieve_session_begin,
	.step = sieve_session_step,
	.end = sieve_session_end,
	.log_doubt = log_doubt,
	.log_start = log_start,
};

int main(int argc, char **argv)
{
	return roles_main(&roles_of_managesieve, argc, argv);
}
