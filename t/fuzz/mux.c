/* SPDX-License-Identifier: ISC */
/*
 * mux - any octets; the first chooses pieces.  What is asked does not depend on the pieces, no
 *       octet is read twice or left out, and no string is longer than it may be.
 */
#include "authd/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_question(const struct mux *m, struct buf *seen)
{
	must(mux_password(m).n <= MUX_STRING_MAX && mux_service(m).n <= MUX_STRING_MAX);
	must(mux_user(m).n <= 2 * MUX_STRING_MAX + 1);
	must(!str_has_control(mux_service(m)));
	buf_put(seen, mux_user(m));
	buf_putc(seen, '\n');
	buf_put(seen, mux_password(m));
	buf_putc(seen, '\n');
	buf_put(seen, mux_service(m));
}

/* run - returns how many octets were not taken */
static size_t run(struct str in, size_t step, struct buf *seen)
{
	struct mux *m = mux_new();

	while (in.n > 0 && mux_want(m) == MUX_WANT_INPUT) {
		size_t used = mux_feed(m, (struct str){in.p, in.n < step ? in.n : step});

		must(used > 0 && used <= in.n);
		in = (struct str){in.p + used, in.n - used};
	}
	must((mux_broken(m) != NULL) == (mux_want(m) == MUX_WANT_CLOSE));
	if (mux_want(m) == MUX_WANT_CHECK) {
		put_question(m, seen);
		mux_answer(m, mux_password(m).n % 2);
		must(mux_output(m).n == 4);
	}
	mux_free(&m);
	return in.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;

	if (size == 0)
		return 0;

	struct str in = {(const char *)data + 1, size - 1};

	buf_init(&whole, 1 << 16);
	buf_init(&pieces, 1 << 16);
	must(run(in, SIZE_MAX, &whole) == run(in, data[0] + 1u, &pieces));
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
