/* SPDX-License-Identifier: ISC */
/*
 * authd - any octets, in any pieces: each question gets one whole answer or the end, and
 *         pieces make no difference
 */
#include "authd/core.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* must_be_whole - every value can be read to its end */
static size_t must_be_whole(const struct question *q)
{
	const struct str values[] = {
		q->exporter,     q->end_point, q->subject, q->user,      q->password,
		q->new_password, q->challenge, q->digest,  q->mechanism, q->data};
	size_t octets = strlen(q->service) + strlen(q->sid) + strlen(q->client) +
			strlen(q->server);

	for (size_t i = 0; i < countof(values); i++)
		for (size_t n = 0; n < values[i].n; n++)
			octets += (unsigned char)values[i].p[n];
	for (size_t i = 0; i < q->n_names; i++)
		octets += strlen(q->names[i].p);
	return octets;
}

/* The answer depends on the question alone, so that two runs can be compared. */
static void answer(struct core *c)
{
	size_t octets = must_be_whole(core_question(c));
	struct auth_offer offer = {.password = octets % 2, .mechanisms = "PLAIN"};
	struct auth_answer a;

	if (core_want(c) == CORE_WANT_OFFER) {
		core_offer(c, &offer);
		return;
	}
	if (core_want(c) == CORE_WANT_LOOKUP && octets % 2) {
		core_verifiers(c, core_question(c)->user, 1);
		return;
	}
	auth_answer_init(&a);
	a.result = (enum auth_result)(octets % 6);
	a.wait_ms = (uint32_t)octets;
	if ((a.result == AUTH_CHALLENGE && core_want(c) != CORE_WANT_SASL &&
	     core_want(c) != CORE_WANT_STEP) ||
	    core_want(c) == CORE_WANT_ABORT)
		a.result = AUTH_REFUSED;
	buf_put(&a.data, core_question(c)->data);
	buf_clear(&a.data);
	snprintf(a.account, sizeof a.account, "%zu", octets);
	core_answer(c, &a);
	auth_answer_fini(&a);
}

static void run(struct str in, size_t step, bool foreign, struct buf *out)
{
	struct core *c = core_new(foreign);

	while (in.n > 0 && core_want(c) == CORE_WANT_INPUT) {
		size_t used = core_feed(c, (struct str){in.p, in.n < step ? in.n : step});

		must(used > 0);
		in = (struct str){in.p + used, in.n - used};
		if (core_want(c) == CORE_WANT_INPUT || core_want(c) == CORE_WANT_CLOSE)
			continue;
		answer(c);
		must(str_starts(buf_str(core_output(c)), STR("answer ")));
		must(str_ends(buf_str(core_output(c)), STR("\n\n")));
		must(core_idle(c));
		buf_put(out, buf_str(core_output(c)));
		buf_clear(core_output(c));
	}
	must((core_broken(c) != NULL) == (core_want(c) == CORE_WANT_CLOSE));
	core_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct buf whole, pieces;
	bool foreign = size % 7 == 0;

	buf_init(&whole, 1 << 20);
	buf_init(&pieces, 1 << 20);
	run(in, SIZE_MAX, foreign, &whole);
	run(in, 1 + size % 5, foreign, &pieces);
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
