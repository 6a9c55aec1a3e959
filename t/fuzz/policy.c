/* SPDX-License-Identifier: ISC */
/*
 * policy - any bytes, in any pieces: each request gets one whole answer or the
 *          end, and pieces make no difference
 */
#include "policy/policy.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The verdict depends on the recipient alone, so that two runs can be compared. */
static void answer(struct policy *p)
{
	struct str r = policy_recipient(p);
	struct verdict v = {.code = (enum verdict_code)(r.n % (VERDICT_TRY_AGAIN + 1)),
			    .smtp = 550,
			    .dsn = "5.1.1",
			    .text = "no"};

	must(r.n > 0 && memchr(r.p, '\n', r.n) == NULL && memchr(r.p, '\0', r.n) == NULL);
	policy_answer(p, &v);
}

static void run(struct str in, size_t step, struct buf *out)
{
	struct policy *p = policy_new();

	while (in.n > 0 && policy_want(p) == POLICY_WANT_INPUT) {
		size_t used =
			policy_feed(p, (struct str){in.p, in.n < step ? in.n : step});

		must(used > 0);
		in = (struct str){in.p + used, in.n - used};
		if (policy_want(p) == POLICY_WANT_VERDICT)
			answer(p);
		if (policy_output(p)->n > 0) {
			must(str_starts(buf_str(policy_output(p)), STR("action=")));
			must(str_ends(buf_str(policy_output(p)), STR("\n\n")));
			must(policy_idle(p));
		}
		buf_put(out, buf_str(policy_output(p)));
		buf_clear(policy_output(p));
	}
	must((policy_broken(p) != NULL) == (policy_want(p) == POLICY_WANT_CLOSE));
	policy_free(&p);
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
