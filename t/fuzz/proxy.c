/* SPDX-License-Identifier: ISC */
/*
 * proxy: a header in pieces of any size ends as the whole does, after the same octets, and
 * tells the same client; the arguments of XCLIENT are taken or refused, and what is taken
 * was there.
 */
#include "lib/proxy.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_result run(struct proxy *p, struct str in, size_t piece, size_t *used)
{
	enum proxy_result r = PROXY_MORE;

	proxy_init(p);
	*used = 0;
	while (r == PROXY_MORE && *used < in.n) {
		size_t n = in.n - *used < piece ? in.n - *used : piece;
		size_t took = proxy_feed(p, (struct str){in.p + *used, n}, &r);

		must(took <= n && (took == n || r != PROXY_MORE));
		*used += took;
	}
	must(*used <= PROXY_HEADER_MAX);
	return r;
}

static bool is_within(struct str part, struct str whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct proxy whole, pieces;
	struct proxy_xclient x;
	size_t used, used_in_pieces;
	enum proxy_result r = run(&whole, in, SIZE_MAX, &used);

	must(run(&pieces, in, 1 + size % 7, &used_in_pieces) == r);
	must(used == used_in_pieces);
	must(whole.client.known == pieces.client.known);
	must(memcmp(&whole.client.address, &pieces.client.address,
		    sizeof whole.client.address) == 0);
	must(whole.client.port == pieces.client.port);
	if (proxy_xclient(in, &x))
		must(is_within(x.helo, in) && is_within(x.login, in));
	return 0;
}
