/* SPDX-License-Identifier: ISC */
/*
 * socketmap - any bytes, in any pieces: each request gets one answer, which is a
 *             netstring, or the end, and pieces make no difference
 */
#include "policy/socketmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer_verdict(struct socketmap *m)
{
	const struct address *a = socketmap_address(m);
	struct address targets[2] = {*a, *a};
	struct str local = str_of(a->local);
	struct verdict v = {
		.code = (enum verdict_code)(local.n % (VERDICT_TRY_AGAIN + 1)),
		.text = "no",
		.name = {"alice@example.org"},
		.forwarding = {.n = 2, .targets = targets},
	};

	must(local.n > 0);
	socketmap_answer(m, &v);
}

static void answer(struct socketmap *m)
{
	struct str key = socketmap_key(m);

	must(key.n > 0 && key.n <= SOCKETMAP_REQUEST_MAX);
	if (socketmap_want(m) == SOCKETMAP_WANT_VERDICT)
		answer_verdict(m);
	else if (key.n % 3 == 0)
		socketmap_answer_later(m, STR("later"));
	else
		socketmap_answer_domain(m, key.n % 3 == 1 ? STR("") : STR("example.org"));
}

static void check_netstring(struct str s)
{
	uint32_t n;
	struct str length = str_cut(&s, ':');

	must(str_u32(length, &n));
	must(s.n == n + 1 && s.p[n] == ',');
	must(str_starts(s, STR("OK ")) || str_starts(s, STR("NOTFOUND ")) ||
	     str_starts(s, STR("TEMP ")) || str_starts(s, STR("PERM ")));
}

static void run(struct str in, size_t step, struct buf *out)
{
	struct socketmap *m = socketmap_new(true);

	while (in.n > 0 && socketmap_want(m) == SOCKETMAP_WANT_INPUT) {
		size_t used =
			socketmap_feed(m, (struct str){in.p, in.n < step ? in.n : step});

		must(used > 0);
		in = (struct str){in.p + used, in.n - used};
		if (socketmap_want(m) == SOCKETMAP_WANT_VERDICT ||
		    socketmap_want(m) == SOCKETMAP_WANT_DOMAIN)
			answer(m);
		if (socketmap_output(m)->n > 0) {
			check_netstring(buf_str(socketmap_output(m)));
			must(socketmap_idle(m));
		}
		buf_put(out, buf_str(socketmap_output(m)));
		buf_clear(socketmap_output(m));
	}
	must((socketmap_broken(m) != NULL) ==
	     (socketmap_want(m) == SOCKETMAP_WANT_CLOSE));
	socketmap_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct buf whole, pieces;

	buf_init(&whole, 1 << 20);
	buf_init(&pieces, 1 << 20);
	run(in, SIZE_MAX, &whole);
	run(in, 1 + size % 5, &pieces);
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
