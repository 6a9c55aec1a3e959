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

#define PROGRAM "popstore-submitd"

static void serve(struct conn *c, int protocol UNUSED, void *ctx)
{
	submit_session(ctx, c);
}

static int enter(void *ctx, struct err *e)
{
	return role_enter(ROLE_SUBMIT, ctx, e);
}

static int run(const struct settings *set, struct err *e)
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
		.ctx = (void *)(uintptr_t)set,
	};

	return server_run(&server, e);
}

static void failed(const struct err *e)
{
	log_event(LOG_LV_ERROR, "submit.start.failed", kv_err(e));
}

int main(int argc, char **argv)
{
	static const struct program program = {PROGRAM, run, failed};

	return program_main(&program, argc, argv);
}
