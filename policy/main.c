/* SPDX-License-Identifier: ISC */
/*
 * popstore-policyd - glue: arguments, settings, and one thread a connection
 */
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "policy/session.h"
#include "store/role.h"
#include "store/store.h"

#include <sysexits.h>

#define PROGRAM "popstore-policyd"

enum protocol { POLICY, SOCKETMAP };

static void serve(struct conn *c, int protocol, void *ctx)
{
	if (protocol == POLICY)
		policy_session(ctx, c);
	else
		socketmap_session(ctx, c);
}

static int enter(void *ctx, struct err *e)
{
	return role_enter(ROLE_POLICY, store_settings(ctx), e);
}

static int serve_store(const struct settings *set, struct store *st, struct err *e)
{
	const struct server_listen listen[] = {
		{.name = "policy",
		 .addresses = set->policy.listen.v,
		 .n = set->policy.listen.n,
		 .protocol = POLICY},
		{.name = "socketmap",
		 .addresses = set->socketmap.listen.v,
		 .n = set->socketmap.listen.n,
		 .protocol = SOCKETMAP},
	};
	const struct server server = {
		.program = PROGRAM,
		.listen = listen,
		.n_listen = countof(listen),
		.max_connections = (uint32_t)(set->policy.max_connections +
					      set->socketmap.max_connections),
		.idle_ms = POLICY_IDLE_MS,
		.enter = enter,
		.session = serve, /* nothing can be said to one connection too many */
		.ctx = st,
	};

	return server_run(&server, e);
}

static int run(const char *file, struct err *e)
{
	struct settings *set;
	struct store *st;

	if (settings_read(file, &set, e) < 0)
		return -1;
	settings_log(set, PROGRAM);

	int rc = store_open(set, &st, e);

	if (rc == 0) {
		rc = serve_store(set, st, e);
		store_close(&st);
	}
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
	log_event(LOG_LV_ERROR, "policy.start.failed", kv_err(&e));
	return err_exit_status(&e);
}
