/* SPDX-License-Identifier: ISC */
#include "authd/conversation.h"

#include "authd/change.h"
#include "authd/exchange.h"
#include "authd/lookup.h"
#include "lib/log.h"
#include "lib/server.h"

struct conversation {
	struct judge *judge;
	struct conn *conn;
	struct core *core;
	struct exchange *exchange; /* of SASL, that was begun */
};

/* What comes after a step. */
enum next { NEXT_STEP, NEXT_WAIT, NEXT_END };

static enum next flush(struct conversation *v)
{
	struct buf *out = core_output(v->core);
	struct err ignored;
	int rc = conn_write(v->conn, buf_str(out), false, &ignored);

	buf_clear(out);
	return rc < 0 ? NEXT_END : NEXT_STEP;
}

/* read_some - idle between two questions, or within one, each with its bound */
static enum next read_some(struct conversation *v)
{
	struct conn *c = v->conn;
	struct err ignored;
	struct str in;

	if (core_idle(v->core)) {
		conn_busy(c, false);
		conn_deadline(c, core_in_exchange(v->core) ? CONVERSATION_STEP_MS : 0);
	} else if (c->deadline_ms == 0) {
		conn_deadline(c, CONVERSATION_MESSAGE_MS);
	}
	if (conn_input_now(c, &in, &ignored) < 0)
		return NEXT_END;
	if (in.n == 0)
		return NEXT_WAIT;
	conn_busy(c, true);
	conn_consume_secret(c, core_feed(v->core, in));
	return NEXT_STEP;
}

static void look_up(struct judge *j, struct core *core)
{
	struct auth_answer a;
	struct buf verifiers;

	buf_init_secret(&verifiers, LOOKUP_VERIFIERS_MAX);
	auth_answer_init(&a);
	if (lookup_verifiers(j, core_question(core), &verifiers, &a) == 0)
		core_verifiers(core, buf_str(&verifiers), a.wait_ms);
	else
		core_answer(core, &a);
	auth_answer_fini(&a);
	buf_fini_secret(&verifiers);
}

static void judge(struct conversation *v, struct auth_answer *out)
{
	struct judge *j = v->judge;
	const struct question *q = core_question(v->core);

	switch (core_want(v->core)) {
	case CORE_WANT_PASSWORD:
		judge_password(j, q, out);
		break;
	case CORE_WANT_APOP:
		judge_apop(j, q, out);
		break;
	case CORE_WANT_CHANGE:
		change_password(j, q, out);
		break;
	case CORE_WANT_SASL:
		exchange_begin(j, q, &v->exchange, out);
		break;
	case CORE_WANT_STEP:
		exchange_step(&v->exchange, q->data, out);
		break;
	case CORE_WANT_ABORT:
		exchange_abort(&v->exchange, out);
		break;
	case CORE_WANT_LOOKUP:
	case CORE_WANT_OFFER:
	case CORE_WANT_INPUT:
	case CORE_WANT_CLOSE:
		break;
	}
}

static void answer(struct conversation *v)
{
	struct core *core = v->core;
	struct auth_offer offer;
	struct auth_answer a;

	if (core_want(core) == CORE_WANT_OFFER) {
		judge_offer(v->judge, core_question(core), &offer);
		core_offer(core, &offer);
		return;
	}
	if (core_want(core) == CORE_WANT_LOOKUP) {
		look_up(v->judge, core);
		return;
	}
	/* What is no password is asked seldom, and may ask others; see authd/attempt.c for
	 * what is one. */
	if (core_want(core) != CORE_WANT_PASSWORD)
		server_pass_on();
	auth_answer_init(&a);
	judge(v, &a);
	core_answer(core, &a);
	auth_answer_fini(&a);
}

static enum next step(struct conversation *v)
{
	switch (core_want(v->core)) {
	case CORE_WANT_CLOSE:
		return NEXT_END;
	case CORE_WANT_INPUT:
		return read_some(v);
	case CORE_WANT_OFFER:
	case CORE_WANT_PASSWORD:
	case CORE_WANT_APOP:
	case CORE_WANT_SASL:
	case CORE_WANT_STEP:
	case CORE_WANT_CHANGE:
	case CORE_WANT_LOOKUP:
	case CORE_WANT_ABORT:
		break;
	}
	answer(v);
	return flush(v);
}

struct conversation *conversation_begin(struct judge *j, struct conn *c, bool foreign)
{
	struct conversation *v = xalloc(sizeof *v);

	*v = (struct conversation){.judge = j, .conn = c, .core = core_new(foreign)};
	return v;
}

bool conversation_step(struct conversation *v)
{
	enum next next;

	do
		next = step(v);
	while (next == NEXT_STEP);
	return next == NEXT_WAIT;
}

/* give_up - what the other end left in the middle */
static void give_up(struct exchange **x)
{
	struct auth_answer ignored;

	if (*x == NULL)
		return;
	auth_answer_init(&ignored);
	exchange_abort(x, &ignored);
	auth_answer_fini(&ignored);
}

void conversation_end(struct conversation **out)
{
	struct conversation *v = *out;
	const char *broken = core_broken(v->core);

	if (broken != NULL)
		log_event(LOG_LV_WARN, "auth.question.broken", kv_s("sid", v->conn->sid),
			  kv_s("peer", v->conn->peer), kv_s("why", broken));
	give_up(&v->exchange);
	core_free(&v->core);
	xfree(out);
}
