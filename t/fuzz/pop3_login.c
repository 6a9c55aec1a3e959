/* SPDX-License-Identifier: ISC */
/*
 * The first two octets choose pieces and policy, the rest is what a stranger sends.
 * The same octets in pieces and whole must be answered alike.
 */
#include "popd/login.h"

#define CHALLENGE "<17.4711@mx.example.org>"

/* answer - by what the first octet of the proof says */
static void answer(struct login *l)
{
	struct login_question q = login_question(l);
	char choice = q.proof.n > 0 ? q.proof.p[0] : 'c';
	bool sasl = q.kind == LOGIN_SASL || q.kind == LOGIN_SASL_STEP;

	must(sasl || (q.proof.n > 0 && q.user.n > 0));
	must(q.kind != LOGIN_APOP || str_eq(q.challenge, STR(CHALLENGE)));
	must(q.kind != LOGIN_SASL || q.mechanism.n > 0);
	must(q.kind == LOGIN_SASL_STEP ? login_exchanging(l) : true);
	if (choice == 'y')
		login_accepted(l, STR(""));
	else if (choice == 'w')
		login_accepted(l, sasl ? STR("last word") : STR(""));
	else if (choice == 't')
		login_try_again(l);
	else if (choice == 'e')
		login_expired(l);
	else if (choice == 'c' && sasl)
		login_challenge(l, q.proof);
	else
		login_refused(l);
}

static void keep_output(struct login *l, struct buf *said)
{
	must(login_output(l).n < 40000);
	buf_put(said, login_output(l));
	login_written(l);
}

/* step - false when it needs input or is over */
static bool step(struct login *l, const struct capa *capa, struct buf *said)
{
	struct capa changed = *capa;

	switch (login_want(l)) {
	case LOGIN_WANT_WRITE:
		keep_output(l, said);
		return true;
	case LOGIN_WANT_CHECK:
		answer(l);
		return true;
	case LOGIN_WANT_TLS:
		keep_output(l, said);
		changed.stls = changed.apop = false;
		changed.tls = true;
		login_tls_begun(l, &changed);
		return true;
	case LOGIN_WANT_PEER:
		login_peer_known(l, login_peer(l).n > 3, &changed);
		return true;
	case LOGIN_WANT_INPUT:
	case LOGIN_WANT_HAND_OVER:
	case LOGIN_WANT_CLOSE:
		break;
	}
	return false;
}

/* run - returns how many octets were left for the session */
static size_t run(struct str in, size_t piece, const struct capa *capa, struct buf *said)
{
	struct login *l = login_new(STR("mx.example.org"), STR(CHALLENGE), capa);
	size_t left;

	for (;;) {
		while (step(l, capa, said))
			;
		if (login_want(l) != LOGIN_WANT_INPUT || in.n == 0)
			break;

		size_t used =
			login_feed(l, (struct str){in.p, in.n < piece ? in.n : piece});

		must(used > 0 && used <= in.n);
		in = (struct str){in.p + used, in.n - used};
	}
	left = login_want(l) == LOGIN_WANT_HAND_OVER ? in.n : 0;
	keep_output(l, said);
	must(str_ends(buf_str(said), STR("\r\n")));
	login_free(&l);
	return left;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;

	struct str in = {(const char *)data + 2, size - 2};
	struct capa capa = {.plaintext = data[0] & 1,
			    .login_delay_s = data[0] & 2,
			    .stls = data[0] & 4,
			    .apop = data[0] & 8,
			    .xclient = data[0] & 16,
			    .mechanisms = data[0] & 32 ? "PLAIN X" : NULL};
	struct buf whole, pieces;

	buf_init(&whole, 4 << 20);
	buf_init(&pieces, 4 << 20);

	size_t left = run(in, SIZE_MAX, &capa, &whole);

	must(run(in, data[1] + 1u, &capa, &pieces) == left);
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
