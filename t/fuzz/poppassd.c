/* SPDX-License-Identifier: ISC */
/*
 * poppassd - what a stranger sends; the first octet chooses pieces.  In pieces and whole it
 *            is answered alike, in whole lines, and no password is asked about twice.
 */
#include "passwd/poppass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(struct poppass *p, bool change)
{
	struct str s = change ? poppass_new_password(p) : poppass_old(p);

	must(poppass_user(p).n > 0 && poppass_old(p).n > 0 && s.n > 0);
	if (s.p[0] == 'y' && change)
		poppass_changed(p);
	else if (s.p[0] == 'y')
		poppass_proved(p);
	else if (s.p[0] == 't')
		poppass_try_again(p);
	else if (s.p[0] == 'r' && change)
		poppass_rejected(p, s);
	else
		poppass_refused(p);
	must(poppass_new_password(p).n == 0);
	must(poppass_want(p) == POPPASS_WANT_INPUT ||
	     poppass_want(p) == POPPASS_WANT_CLOSE);
}

static void keep_output(struct poppass *p, struct buf *said)
{
	struct str rest = buf_str(poppass_output(p));

	must(!buf_over(poppass_output(p)));
	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');

		must(str_starts(line, STR("200 ")) || str_starts(line, STR("500 ")));
		must(str_ends(line, STR("\r")));
	}
	buf_put(said, buf_str(poppass_output(p)));
	buf_clear(poppass_output(p));
}

static void run(struct str in, size_t piece, struct buf *said)
{
	struct poppass *p = poppass_new(STR("mx.example.org"));

	while (poppass_want(p) != POPPASS_WANT_CLOSE) {
		if (poppass_want(p) != POPPASS_WANT_INPUT) {
			answer(p, poppass_want(p) == POPPASS_WANT_CHANGE);
		} else {
			if (in.n == 0)
				break;

			size_t used = poppass_feed(
				p, (struct str){in.p, in.n < piece ? in.n : piece});

			must(used > 0 && used <= in.n);
			in = (struct str){in.p + used, in.n - used};
		}
		keep_output(p, said);
	}
	poppass_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;

	if (size == 0)
		return 0;

	struct str in = {(const char *)data + 1, size - 1};

	buf_init(&whole, 1 << 20);
	buf_init(&pieces, 1 << 20);
	run(in, SIZE_MAX, &whole);
	run(in, data[0] + 1u, &pieces);
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
