/* SPDX-License-Identifier: ISC */
/*
 * The first octet chooses pieces and policy, the rest is what a stranger sends.
 * The same octets in pieces and whole must be answered alike.
 */
#include "popd/login.h"

static void answer(struct login *l)
{
	struct str password = login_password(l);

	must(password.n > 0 && login_user(l).n > 0);
	if (password.p[0] == 'y')
		login_accepted(l);
	else if (password.p[0] == 't')
		login_try_again(l);
	else
		login_refused(l);
	must(login_password(l).n == 0);
}

static void keep_output(struct login *l, struct buf *said)
{
	must(login_output(l).n < 20000);
	buf_put(said, login_output(l));
	login_written(l);
}

/* step - false when it needs input or is over */
static bool step(struct login *l, struct buf *said)
{
	switch (login_want(l)) {
	case LOGIN_WANT_WRITE:
		keep_output(l, said);
		return true;
	case LOGIN_WANT_CHECK:
		answer(l);
		return true;
	case LOGIN_WANT_INPUT:
	case LOGIN_WANT_HAND_OVER:
	case LOGIN_WANT_CLOSE:
		break;
	}
	return false;
}

/* run - returns how many octets were not taken */
static size_t run(struct str in, size_t piece, const struct capa *capa, struct buf *said)
{
	struct login *l = login_new(STR("mx.example.org"), capa);

	for (;;) {
		while (step(l, said))
			;
		if (login_want(l) != LOGIN_WANT_INPUT || in.n == 0)
			break;

		size_t used =
			login_feed(l, (struct str){in.p, in.n < piece ? in.n : piece});

		must(used > 0 && used <= in.n);
		in = (struct str){in.p + used, in.n - used};
	}
	keep_output(l, said);
	must(str_ends(buf_str(said), STR("\r\n")));
	login_free(&l);
	return in.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;

	struct str in = {(const char *)data + 1, size - 1};
	struct capa capa = {.plaintext = data[0] & 1, .login_delay_s = data[0] & 2};
	struct buf whole, pieces;

	buf_init(&whole, 4 << 20);
	buf_init(&pieces, 4 << 20);
	size_t left = run(in, SIZE_MAX, &capa, &whole);

	must(run(in, data[0] / 4 + 1u, &capa, &pieces) == left);
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
