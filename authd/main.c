/* SPDX-License-Identifier: ISC */
/*
 * popstore-authd - glue: arguments, settings, and what a connection is to the server
 */
#include "authd/conversation.h"
#include "authd/mux_session.h"
#include "authd/report.h"
#include "authd/source.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "store/role.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRAM "popstore-authd"

enum protocol { OURS, FOREIGN, SASLAUTHD };

static bool serve(struct conn *c, int protocol, void *ctx)
{
	const struct report *r = ctx;
	struct conversation *v = c->session;

	if (protocol == SASLAUTHD) { /* one question, one answer */
		server_pass_on();
		mux_session_run(r->judge, c);
		return false;
	}
	if (v == NULL)
		v = c->session = conversation_begin(r->judge, c, protocol == FOREIGN);
	if (conversation_step(v))
		return true;
	conversation_end(&v);
	c->session = NULL;
	return false;
}

static int enter(void *ctx, struct err *e)
{
	const struct report *r = ctx;

	return role_enter(ROLE_AUTHD, r->judge->set, e);
}

static void tick(void *ctx)
{
	report_write(ctx);
}

static int listen_and_serve(struct report *r, struct err *e)
{
	const struct settings *set = r->judge->set;
	const struct server_listen listen[] = {
		{.name = "auth",
		 .addresses = set->auth.listen.v,
		 .n = set->auth.listen.n,
		 .protocol = FOREIGN},
		{.name = "saslauthd",
		 .addresses = set->auth.saslauthd_listen.v,
		 .n = set->auth.saslauthd_listen.n,
		 .protocol = SASLAUTHD},
		{.name = "auth.take", .protocol = OURS, .handoff = true},
	};
	const struct server server = {
		.program = PROGRAM,
		.listen = listen,
		.n_listen = countof(listen),
		.max_connections = (uint32_t)set->auth.max_connections,
		.idle_ms = CONVERSATION_IDLE_MS,
		.step = serve, /* nothing can be said to one conversation too many */
		.enter = enter,
		.tick = tick,
		.tick_ms = REPORT_TICK_MS,
		.ctx = r,
	};

	return server_run(&server, e);
}

/* bound_ldap - libldap, behind the plug-in ldapdb, waits without end if nobody says otherwise,
 * and the plug-in has no option for it */
static void bound_ldap(void)
{
	char seconds[16];

	snprintf(seconds, sizeof seconds, "%d", SOURCE_CONNECT_S);
	setenv("LDAPNETWORK_TIMEOUT", seconds, 0); /* for a connection */
	setenv("LDAPTIMEOUT", seconds, 0);         /* for each answer */
}

/* keep_replays - Kerberos remembers what it has seen in a file, by default in /var/tmp, where
 * this process may not write */
static void keep_replays(const struct settings *set)
{
	char name[PATH_MAX];

	snprintf(name, sizeof name, "file2:%s/authd/replays", set->store.root);
	setenv("KRB5RCACHENAME", name, 0);
}

static int run(const struct settings *set, struct err *e)
{
	struct store *st;
	struct judge j;
	struct report r;
	int rc;

	bound_ldap();
	keep_replays(set);
	if (store_open(set, &st, e) < 0)
		return -1;
	rc = judge_init(&j, set, st, e);
	if (rc == 0) {
		report_init(&r, &j);
		rc = listen_and_serve(&r, e);
		report_fini(&r);
		judge_fini(&j);
	}
	store_close(&st);
	return rc;
}

static void failed(const struct err *e)
{
	log_event(LOG_LV_ERROR, "auth.start.failed", kv_err(e));
}

int main(int argc, char **argv)
{
	static const struct program program = {PROGRAM, run, failed};

	return program_main(&program, argc, argv);
}
