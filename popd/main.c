/* SPDX-License-Identifier: ISC */
/*
 * popstore-pop3d - glue: arguments, settings, and one thread a connection
 */
#include <sysexits.h>

#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "popd/session.h"
#include "store/store.h"

#define PROGRAM "popstore-pop3d"

struct popd {
	struct settings *set;
	struct store *store;
	struct auth *auth;
};

static void serve(struct conn *c, int protocol UNUSED, void *ctx)
{
	const struct popd *p = ctx;
	struct handover h;

	if (front_run(p->set, p->auth, c, &h))
		session_run(p->store, c, &h);
}

static int listen_and_serve(struct popd *p, struct err *e)
{
	const struct server_listen listen = {
		.name = "pop3",
		.addresses = p->set->pop3.listen.v,
		.n = p->set->pop3.listen.n,
	};
	const struct server server = {
		.program = PROGRAM,
		.listen = &listen,
		.n_listen = 1,
		.max_connections = (uint32_t)p->set->pop3.max_connections,
		.idle_ms = (uint32_t)(p->set->pop3.idle_timeout_s * 1000),
		.busy = STR_INIT(
			"-ERR [SYS/TEMP] too many connections, try again later\r\n"),
		.session = serve,
		.ctx = p,
	};

	return server_run(&server, e);
}

static int run(struct popd *p, const char *file, struct err *e)
{
	if (settings_read(file, &p->set, e) < 0)
		return -1;
	settings_log(p->set, PROGRAM);
	if (store_open(p->set, &p->store, e) < 0)
		return -1;
	p->auth = auth_new(p->store);
	return listen_and_serve(p, e);
}

int main(int argc, char **argv)
{
	const char *file;
	struct popd p = {0};
	struct err e = {0};
	int status;

	if (!program_arguments(PROGRAM, argc, argv, &file, &status))
		return status;

	int rc = run(&p, file, &e);

	if (rc < 0)
		log_event(LOG_LV_ERROR, "pop3.start.failed", kv_err(&e));
	auth_free(&p.auth);
	store_close(&p.store);
	settings_free(&p.set);
	return rc < 0 ? err_exit_status(&e) : EX_OK;
}
