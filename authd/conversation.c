/* SPDX-License-Identifier: ISC */
#include "authd/conversation.h"

#include "authd/change.h"
#include "authd/exchange.h"
#include "authd/lookup.h"
#include "lib/log.h"

static int flush(struct conn *c, struct core *core, struct err *e)
{
	struct buf *out = core_output(core);
	int rc = conn_write(c, buf_str(out), false, e);

	buf_clear(out);
	return rc;
}

/* read_some - idle between two questions, or within one, each with its bound */
static int read_some(struct conn *c, struct core *core, struct err *e)
{
	struct str in;

	if (core_idle(core)) {
		conn_busy(c, false);
		conn_deadline(c, core_in_exchange(core) ? CONVERSATION_STEP_MS : 0);
	} else if (c->deadline_ms == 0) {
		conn_deadline(c, CONVERSATION_MESSAGE_MS);
	}
	if (conn_input(c, &in, e) < 0)
		return -1;
	conn_busy(c, true);
	conn_consume_secret(c, core_feed(core, in));
	return 0;
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

/* A question's answer; an exchange that is begun is kept in *x. */
static void judge(struct judge *j, const struct core *core, struct exchange **x,
		  struct auth_answer *out)
{
	const struct question *q = core_question(core);

	switch (core_want(core)) {
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
		exchange_begin(j, q, x, out);
		break;
	case CORE_WANT_STEP:
		exchange_step(x, q->data, out);
		break;
	case CORE_WANT_ABORT:
		exchange_abort(x, out);
		break;
	case CORE_WANT_LOOKUP:
	case CORE_WANT_OFFER:
	case CORE_WANT_INPUT:
	case CORE_WANT_CLOSE:
		break;
	}
}

static void answer(struct judge *j, struct core *core, struct exchange **x)
{
	struct auth_offer offer;
	struct auth_answer a;

	if (core_want(core) == CORE_WANT_OFFER) {
		judge_offer(j, core_question(core), &offer);
		core_offer(core, &offer);
		return;
	}
	if (core_want(core) == CORE_WANT_LOOKUP) {
		look_up(j, core);
		return;
	}
	auth_answer_init(&a);
	judge(j, core, x, &a);
	core_answer(core, &a);
	auth_answer_fini(&a);
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

void conversation_run(struct judge *j, struct conn *c, bool foreign)
{
	struct core *core = core_new(foreign);
	struct exchange *x = NULL;
	struct err e;
	int rc = 0;

	while (rc == 0 && core_want(core) != CORE_WANT_CLOSE) {
		if (core_want(core) == CORE_WANT_INPUT) {
			rc = read_some(c, core, &e);
		} else {
			answer(j, core, &x);
			rc = flush(c, core, &e);
		}
	}
	if (core_broken(core) != NULL)
		log_event(LOG_LV_WARN, "auth.question.broken", kv_s("sid", c->sid),
			  kv_s("peer", c->peer), kv_s("why", core_broken(core)));
	give_up(&x);
	core_free(&core);
}
