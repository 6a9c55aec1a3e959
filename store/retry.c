/* SPDX-License-Identifier: ISC */
#include "store/retry.h"

bool retry_key_is_set(struct retry_key k)
{
	return k.high != 0 || k.low != 0;
}

bool retry_key_eq(struct retry_key a, struct retry_key b)
{
	return a.high == b.high && a.low == b.low;
}

struct retry_text retry_key_print(struct retry_key k)
{
	struct retry_text t;

	str_print_sum64(k.high, t.c);
	str_print_sum64(k.low, t.c + RETRY_KEY_DIGITS / 2);
	t.c[RETRY_KEY_DIGITS] = '\0';
	return t;
}

bool retry_key_parse(struct str s, struct retry_key *out)
{
	enum { HALF = RETRY_KEY_DIGITS / 2 };

	return s.n == RETRY_KEY_DIGITS &&
	       str_sum64((struct str){s.p, HALF}, &out->high) &&
	       str_sum64((struct str){s.p + HALF, HALF}, &out->low);
}
