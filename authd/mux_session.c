/* SPDX-License-Identifier: ISC */
#include "authd/mux_session.h"

#include "authd/attempt.h"
#include "authd/mux.h"
#include "lib/log.h"

#include <stdio.h>
#include <string.h>

/* mechanism_of - one that the rules allow for "unix": PLAIN or LOGIN, the protocol does not say
 * which it was; or PASS, which stands for both where they are not named */
static unsigned mechanism_of(struct judge *j, const struct question *q)
{
	static const unsigned any[] = {MECHANISM_PLAIN, MECHANISM_LOGIN};
	struct err ignored;

	for (size_t i = 0; i < countof(any); i++)
		if (judge_has_mechanism(j, q, any[i], &ignored))
			return any[i];
	return MECHANISM_PASS;
}

static void judge_it(struct judge *j, const struct conn *c, struct mux *m)
{
	struct question q = {.service = mux_service(m).p,
			     .sid = c->sid,
			     .client = "unix",
			     .server = "",
			     .tls = true,
			     .user = mux_user(m)};
	struct auth_answer a;
	struct attempt t;
	struct err e;

	auth_answer_init(&a);
	if (attempt_begin(&t, j, &q, mechanism_of(j, &q), &a))
		attempt_password(&t, mux_password(m), &a);
	if (conn_hold(c, a.wait_ms, &e) < 0)
		a.result = AUTH_TRY_AGAIN;
	/* Who has to change a password first does not send mail with it. */
	if (a.result == AUTH_OK || a.result == AUTH_REFUSED || a.result == AUTH_EXPIRED)
		mux_answer(m, a.result == AUTH_OK);
	else
		mux_later(m);
	auth_answer_fini(&a);
}

static void check(struct judge *j, const struct conn *c, struct mux *m)
{
	if (str_eq(mux_service(m), STR("smtp"))) {
		judge_it(j, c, m);
		return;
	}
	log_event(LOG_LV_WARN, "auth.question.broken", kv_s("sid", c->sid),
		  kv_s("peer", c->peer), kv_s("why", "another service than smtp"));
	mux_answer(m, false);
}

static int read_some(struct conn *c, struct mux *m, struct err *e)
{
	struct str in;

	if (conn_input(c, &in, e) < 0)
		return -1;
	conn_busy(c, true);
	conn_consume_secret(c, mux_feed(m, in));
	return 0;
}

/* end_politely - says what is to be said; what failed has nobody to be told to */
static void end_politely(struct conn *c, const struct mux *m)
{
	struct err e;

	if (mux_broken(m) != NULL)
		log_event(LOG_LV_WARN, "auth.question.broken", kv_s("sid", c->sid),
			  kv_s("peer", c->peer), kv_s("why", mux_broken(m)));
	if (mux_output(m).n > 0 && conn_write(c, mux_output(m), false, &e) < 0)
		log_event(LOG_LV_WARN, "auth.question.broken", kv_s("sid", c->sid),
			  kv_s("peer", c->peer), kv_s("why", e.text));
}

void mux_session_run(struct judge *j, struct conn *c)
{
	struct mux *m = mux_new();
	struct err e;
	int rc = 0;

	conn_deadline(c, MUX_WAIT_MS);
	while (rc == 0 && mux_want(m) != MUX_WANT_CLOSE) {
		if (mux_want(m) == MUX_WANT_INPUT)
			rc = read_some(c, m, &e);
		else
			check(j, c, m);
	}
	end_politely(c, m);
	mux_free(&m);
}
