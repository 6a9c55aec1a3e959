/* SPDX-License-Identifier: ISC */
/*
 * order - any octets, in any pieces: an order is whole or it is not, and pieces make no
 *         difference; the first octet is the size of the pieces
 */
#include "mail/order.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 4096 };

static enum order_state feed(struct order *o, struct str in, size_t step, struct buf *out)
{
	while (in.n > 0 && order_state(o) < ORDER_WHOLE) {
		struct str piece;
		size_t n = in.n < step ? in.n : step;
		size_t used = order_feed(o, (struct str){in.p, n}, &piece);

		must(used > 0 && used <= n);
		buf_put(out, piece);
		in = (struct str){in.p + used, in.n - used};
	}
	must(!buf_over(out));
	return order_state(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct order *whole = order_new(ROOM), *parts = order_new(ROOM);
	struct buf a, b;

	if (size == 0)
		in = STR("\1");
	buf_init(&a, ROOM);
	buf_init(&b, ROOM);

	size_t step = (size_t)(unsigned char)in.p[0] % 16 + 1;

	in = (struct str){in.p + 1, in.n - 1};

	enum order_state state = feed(whole, in, size, &a);

	must(feed(parts, in, step, &b) == state);
	must(str_eq(buf_str(&a), buf_str(&b)));
	if (state == ORDER_WHOLE) {
		struct submit s;

		order_submit(whole, &s);
		must(s.n_rcpt > 0 && s.n_rcpt <= SUBMIT_RECIPIENTS);
		for (size_t i = 0; i < s.n_rcpt; i++)
			must(s.rcpt[i][0] != '\0' && !str_has_control(str_of(s.rcpt[i])));
	}
	buf_fini(&a);
	buf_fini(&b);
	order_free(&whole);
	order_free(&parts);
	return 0;
}
