/* SPDX-License-Identifier: ISC */
/*
 * scheme - a hash of another system is read within bounds, and what is kept of it in a record
 *          is the same hash; so is a verifier of SCRAM
 */
#include "auth/scheme.h"
#include "auth/scram.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct scheme *x)
{
	struct scheme again;
	struct buf out;
	struct err e;

	buf_init(&out, SCHEME_TEXT_MAX + 16);
	/* What crypt(3) knows has no scheme in a record. */
	if (x->kind == SCHEME_CRYPT)
		buf_put(&out, STR("{CRYPT}"));
	scheme_print(x, &out);
	must(!buf_over(&out));
	must(scheme_parse(buf_str(&out), &again, &e) == 0);
	must(again.kind == x->kind && str_eq(again.value, x->value));
	must(again.n == x->n && memcmp(again.octets, x->octets, x->n) == 0);
	if (x->kind == SCHEME_DIGEST)
		must(!scheme_matches(x, STR("what nobody has for a password")));
	buf_fini(&out);
}

static void verifier(struct str in)
{
	struct scram_verifier v;
	struct buf out;

	if (!scram_parse(in, &v))
		return;
	buf_init(&out, SCRAM_TEXT_MAX - 1);
	scram_print(&v, &out);
	/* Only the number of iterations can be written in two ways. */
	must(!buf_over(&out) && out.n <= in.n);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct scheme x;
	struct err e;

	if (scheme_parse(in, &x, &e) == 0) {
		must(scheme_is_named(in));
		same_again(&x);
	}
	verifier(in);
	return 0;
}
