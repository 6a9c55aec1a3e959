/* SPDX-License-Identifier: ISC */
/*
 * popstore-policyd - glue: arguments, settings, and one thread a connection
 */
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "policy/session.h"
#include "store/role.h"
#include "store/sender.h"
#include "store/store.h"

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

static int run(const struct settings *set, struct err *e)
{
	struct store *st;

	if (store_open(set, &st, e) < 0)
		return -1;

	int rc = sender_begin(st, e);

	if (rc == 0)
		rc = serve_store(set, st, e);

	store_close(&st);
	return rc;
}

static void failed(const struct err *e)
{
	log_event(LOG_LV_ERROR, "policy.start.failed", kv_err(e));
}

int main(int argc, char **argv)
{
	static const struct program program = {PROGRAM, run, failed};

	return program_main(&program, argc, argv);
}
