/* SPDX-License-Identifier: ISC */
/* The asker and the answerer together, over a socket. */
#include "authd/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/handoff.h"
#include "lib/log.h"
#include "t/unit/auth/scratch.h"

static const struct auth_peer peer = {
	.service = "pop3", .sid = "s1", .client = "192.0.2.7", .tls = true};

struct rig {
	struct scratch s;
	struct judge j;
	int take, give;
	pthread_t thread;
	struct auth *auth;
};

/* serve - one conversation */
static void *serve(void *ctx)
{
	struct rig *r = ctx;
	struct pollfd p = {.fd = r->take, .events = POLLIN};
	struct conversation *v;
	struct buf note;
	struct conn c;
	struct err e;
	int fd = -1;

	buf_init(&note, HANDOFF_NOTE_MAX);
	if (poll(&p, 1, 10000) == 1 && handoff_take(r->take, &fd, &note, &e) == 0) {
		conn_open(&c, fd, 10000);
		v = conversation_begin(&r->j, &c, false);
		while (conversation_step(v))
			poll(&(struct pollfd){.fd = c.fd, .events = POLLIN}, 1, 10000);
		conversation_end(&v);
		conn_close(&c);
	}
	buf_fini(&note);
	return NULL;
}

static void begin(struct rig *r)
{
	struct err e;

	log_open("session", false, LOG_LV_ERROR);
	*r = (struct rig){0};
	scratch_begin(&r->s, "");
	scratch_add(&r->s, "alice@example.org", "a secret", 0);
	scratch_ok(judge_init(&r->j, store_settings(r->s.store), r->s.store, &e_));
	assert_int_equal(handoff_pair(&r->give, &r->take, &e), 0);
	r->auth = auth_new(r->give);
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void end(struct rig *r)
{
	auth_free(&r->auth);
	assert_int_equal(pthread_join(r->thread, NULL), 0);
	close(r->take);
	judge_fini(&r->j);
	scratch_end(&r->s);
}

static void one_conversation_has_many_questions(void **state)
{
	struct auth_offer offer;
	struct auth_call *call;
	struct auth_answer out;
	struct rig r;
	struct err e;

	(void)state;
	begin(&r);
	assert_int_equal(auth_ask_offer(r.auth, &peer, &offer, &e), 0);
	assert_true(offer.password);
	for (int i = 0; i < 4; i++) {
		auth_answer_init(&out);
		call = auth_password(r.auth, &peer, STR("alice@example.org"),
				     str_of(i % 2 ? "a secret" : "wrong"));
		auth_wait(&call, NULL, &out);
		assert_int_equal(out.result, i % 2 ? AUTH_OK : AUTH_REFUSED);
		auth_answer_fini(&out);
	}
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_conversation_has_many_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
