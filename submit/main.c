/* SPDX-License-Identifier: ISC */
/*
 * popstore-submitd - runs sendmail(1) for the processes that may not
 *
 * The only one of the services that executes a program, and the only program is
 * settings.sendmail.  Under no_new_privs that program's set-group-id helper would not
 * work; so this process goes without, and reads nothing but the orders of the others.
 */
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "lib/settings.h"
#include "store/role.h"
#include "submit/session.h"

#include <sysexits.h>

#define PROGRAM "popstore-submitd"

static void serve(struct conn *c, int protocol UNUSED, void *ctx)
{
	submit_session(ctx, c);
}

static int enter(void *ctx, struct err *e)
{
	return role_enter(ROLE_SUBMIT, ctx, e);
}

static int listen_and_serve(struct settings *set, struct err *e)
{
	const struct server_listen listen = {.name = "submit.take", .handoff = true};
	const struct server server = {
		.program = PROGRAM,
		.listen = &listen,
		.n_listen = 1,
		/* One for each connection of a delivery agent, which waits for it. */
		.max_connections =
			(uint32_t)(set->lmtp.workers * set->lmtp.max_connections),
		.idle_ms = (uint32_t)(set->lmtp.idle_timeout_s * 1000),
		.session = serve,
		.enter = enter,
		.ctx = set,
	};

	return server_run(&server, e);
}

static int run(const char *file, struct err *e)
{
	struct settings *set;
	int rc;

	if (settings_read(file, &set, e) < 0)
		return -1;
	settings_log(set, PROGRAM);
	rc = listen_and_serve(set, e);
	settings_free(&set);
	return rc;
}

int main(int argc, char **argv)
{
	const char *file;
	struct err e;
	int status;

	if (!program_arguments(PROGRAM, argc, argv, &file, &status))
		return status;
	if (run(file, &e) == 0)
		return EX_OK;
	log_event(LOG_LV_ERROR, "submit.start.failed", kv_err(&e));
	return err_exit_status(&e);
}
