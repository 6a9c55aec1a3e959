/* SPDX-License-Identifier: ISC */
/*
 * popstore-lmtpd - glue: arguments, settings, and one thread a connection
 */
#include <sysexits.h>

#include "channel/session.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "store/store.h"

#define PROGRAM "popstore-lmtpd"

static void session(struct conn *c, int protocol UNUSED, void *ctx)
{
	channel_session(ctx, c);
}

/* What fails here fails again at the next delivery, which is answered 451; the
 * alarm is the operator's. */
static void tick(void *ctx)
{
	struct err e;

	if (store_checkpoint(ctx, &e) < 0)
		log_event(LOG_LV_ERROR, "lmtp.checkpoint.failed", kv_err(&e));
}

static int serve(const struct settings *set, struct store *store, struct err *e)
{
	struct server_listen listen = {
		.name = "lmtp",
		.addresses = set->lmtp.listen.v,
		.n = set->lmtp.listen.n,
	};
	struct server server = {
		.program = PROGRAM,
		.listen = &listen,
		.n_listen = 1,
		.max_connections = (uint32_t)set->lmtp.max_connections,
		.idle_ms = (uint32_t)(set->lmtp.idle_timeout_s * 1000),
		.busy = STR_INIT("421 4.3.2 Too many connections, try again later\r\n"),
		.session = session,
		.tick = tick,
		.tick_ms = (uint32_t)(set->store.checkpoint_s * 1000),
		.ctx = store,
	};

	return server_run(&server, e);
}

static int run(const char *file, struct err *e)
{
	struct settings *set;
	struct store *store;
	int rc;

	if (settings_read(file, &set, e) < 0)
		return -1;
	settings_log(set, PROGRAM);
	rc = store_open(set, &store, e);
	if (rc == 0) {
		rc = serve(set, store, e);
		store_close(&store);
	}
	settings_free(&set);
	return rc;
}

int main(int argc, char **argv)
{
	const char *file;
	struct err e = {0};
	int status;

	if (!program_arguments(PROGRAM, argc, argv, &file, &status))
		return status;
	if (run(file, &e) == 0)
		return EX_OK;
	log_event(LOG_LV_ERROR, "lmtp.start.failed", kv_err(&e));
	return err_exit_status(&e);
}
