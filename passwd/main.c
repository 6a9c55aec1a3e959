/* SPDX-License-Identifier: ISC */
/*
 * popstore-poppassd - glue: arguments, settings, and one thread a connection
 */
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "passwd/session.h"
#include "store/role.h"

#define PROGRAM "popstore-poppassd"

enum protocol { CLEAR, TLS };

static void serve(struct conn *c, int protocol, void *ctx)
{
	poppassd_session(ctx, c, protocol == TLS);
}

static int enter(void *ctx, struct err *e)
{
	const struct poppassd *d = ctx;

	return role_enter(ROLE_POPPASSD, d->set, e);
}

static int serve_all(const struct poppassd *d, struct err *e)
{
	const struct settings *set = d->set;
	const struct server_listen listen[] = {
		{.name = "poppassd",
		 .addresses = set->poppassd.listen.v,
		 .n = set->poppassd.listen.n,
		 .protocol = CLEAR},
		{.name = "poppassds",
		 .addresses = set->poppassd.tls_listen.v,
		 .n = set->poppassd.tls_listen.n,
		 .protocol = TLS,
		 .mute = true},
	};
	const struct server server = {
		.program = PROGRAM,
		.listen = listen,
		.n_listen = countof(listen),
		/* Besides the crowd, those who are known and those who gave way and go. */
		.max_connections = 2 * (uint32_t)set->poppassd.max_connections,
		.idle_ms = (uint32_t)(set->poppassd.timeout_s * 1000),
		.busy = STR_INIT("500 too many connections, try again later\r\n"),
		.session = serve,
		.enter = enter,
		.ctx = (void *)(uintptr_t)d,
	};

	return server_run(&server, e);
}

static int prepare(struct poppassd *d, struct err *e)
{
	int channel;

	if (server_inherited("auth.give", &channel, 1) != 1)
		return err_set(e, ERR_PERM, "5.3.5",
			       "no way to popstore-authd: popstored has to start this");
	d->auth = auth_new(channel);
	d->crowd = crowd_new(&(struct crowd_limits){d->set->poppassd.max_connections,
						    d->set->poppassd.max_per_address,
						    d->set->poppassd.max_per_network});
	if (tls_context_new(d->set, "poppassd", &d->tls, e) < 0)
		return -1;
	if (d->tls == NULL && d->set->poppassd.tls_listen.n > 0)
		return err_set(e, ERR_PERM, "5.3.5",
			       "poppassd.tls_listen without tls.certificate");
	return 0;
}

static int run(const struct settings *set, struct err *e)
{
	struct poppassd d = {.set = set};
	int rc = prepare(&d, e);

	if (rc == 0)
		rc = serve_all(&d, e);
	tls_context_free(&d.tls);
	crowd_free(&d.crowd);
	auth_free(&d.auth);
	return rc;
}

static void failed(const struct err *e)
{
	log_event(LOG_LV_ERROR, "poppassd.start.failed", kv_err(e));
}

int main(int argc, char **argv)
{
	static const struct program program = {PROGRAM, run, failed};

	return program_main(&program, argc, argv);
}
