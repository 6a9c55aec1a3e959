/* SPDX-License-Identifier: ISC */
/*
 * popstore-lmtpd - glue: arguments, settings, and one thread a connection
 */
#include "channel/session.h"
#include "filter/filter.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "lib/tls.h"
#include "store/role.h"
#include "store/sender.h"
#include "store/standing.h"
#include "store/store.h"

#define PROGRAM "popstore-lmtpd"

struct lmtpd {
	const struct settings *set;
	struct store *store;
	struct filters *filters;
	struct tls_context *tls; /* NULL: no certificate is configured */
	int submit;              /* -1: run without popstored, nobody mails */
	bool late;               /* the last checkpoint failed, and the log says so */
};

static void session(struct conn *c, int protocol UNUSED, void *ctx)
{
	const struct lmtpd *d = ctx;

	channel_session(d->store, d->filters, d->submit, d->tls, c);
}

/* What fails here fails again at the next delivery, which is answered 451; the
 * alarm is the operator's. */
static void tick(void *ctx)
{
	struct lmtpd *d = ctx;
	bool was_late = d->late;
	struct err e;

	d->late = store_checkpoint(d->store, &e) < 0;
	if (!d->late || was_late)
		return;
	log_event(LOG_LV_ERROR, "lmtp.checkpoint.failed", kv_err(&e));
	store_alarm(d->store);
}

static int enter(void *ctx, struct err *e)
{
	const struct lmtpd *d = ctx;

	return role_enter(ROLE_LMTP, d->set, e);
}

static void doubt(const struct err *why)
{
	log_event(LOG_LV_WARN, "lmtp.disk.doubted", kv_err(why));
}

static int serve(const struct settings *set, struct lmtpd *d, struct err *e)
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
		.enter = enter,
		.tick = tick,
		.tick_ms = (uint32_t)(set->store.checkpoint_s * 1000),
		.ctx = d,
	};

	d->submit = server_channel("submit", e);
	return server_run(&server, e);
}

static int run_store(const struct settings *set, struct lmtpd *d, struct err *e)
{
	int rc = store_open(set, &d->store, e);

	if (rc < 0)
		return -1;
	rc = store_probe(d->store, doubt, e);
	/* The site's scripts are out of reach later. */
	if (rc == 0)
		rc = filters_open(d->store, &d->filters, e);
	if (rc == 0)
		rc = sender_begin(d->store, e);
	if (rc == 0)
		rc = serve(set, d, e);
	filters_close(&d->filters);
	store_close(&d->store);
	return rc;
}

static int run(const struct settings *set, struct err *e)
{
	struct lmtpd d = {.set = set};
	int rc = tls_context_new(set, "lmtp", &d.tls, e);

	if (rc == 0)
		rc = run_store(set, &d, e);
	tls_context_free(&d.tls);
	return rc;
}

static void failed(const struct err *e)
{
	log_event(LOG_LV_ERROR, "lmtp.start.failed", kv_err(e));
}

int main(int argc, char **argv)
{
	static const struct program program = {PROGRAM, run, failed};

	return program_main(&program, argc, argv);
}
