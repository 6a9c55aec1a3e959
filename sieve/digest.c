/* SPDX-License-Identifier: ISC */
#include "sieve/digest_int.h"

struct str digest(struct run *r, const struct str *parts, size_t n)
{
	unsigned char hash[SIEVE_HASH];
	struct buf text, hex;
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += parts[i].n + 24;
	run_spend(r, all);
	buf_init(&text, all);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&text, "%zu:", parts[i].n);
		buf_put(&text, parts[i]);
	}
	sieve_hash(buf_str(&text), hash);
	buf_fini(&text);
	buf_init(&hex, 2 * sizeof hash);
	for (size_t i = 0; i < sizeof hash; i++)
		buf_printf(&hex, "%02x", hash[i]);
	return run_take(r, &hex);
}
