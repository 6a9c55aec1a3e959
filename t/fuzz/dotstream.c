/* SPDX-License-Identifier: ISC */
/*
 * dotstream: pieces of any size give what the whole gives; the end is where a
 * plain search finds it; BDAT's stored form, read as DATA, gives the same counts.
 */
#include "mail/dotstream.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct dotstream *a, const struct dotstream *b)
{
	must(a->ended == b->ended);
	must(a->stored == b->stored);
	must(a->size == b->size);
	must(a->header_end == b->header_end);
	must(a->bare_lf == b->bare_lf);
	must(a->received == b->received);
}

/* piece - 1 to 16 octets, chosen by the input itself */
static size_t piece(uint64_t *seed, size_t left)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	size_t n = 1 + (size_t)(*seed >> 60);
	return n < left ? n : left;
}

/* plain_end - octets up to the end of the message; in.n when there is none */
static size_t plain_end(struct str in)
{
	if (str_starts(in, STR(".\r\n")))
		return 3;
	const char *p = in.n ? memmem(in.p, in.n, "\r\n.\r\n", 5) : NULL;
	return p ? (size_t)(p - in.p) + 5 : in.n;
}

static void as_data(struct str in, uint64_t seed)
{
	struct dotstream whole, pieces;
	size_t used, n = 0;

	dotstream_init(&whole);
	used = dotstream_feed(&whole, in);
	must(used == plain_end(in));
	must(whole.stored == used);

	dotstream_init(&pieces);
	while (n < in.n && !pieces.ended)
		n += dotstream_feed(&pieces,
				    (struct str){in.p + n, piece(&seed, in.n - n)});
	must(n == used);
	same(&whole, &pieces);
}

static void as_bdat(struct str in, uint64_t seed)
{
	struct dotstream bdat, wire;
	struct buf out;
	bool add = in.n > 0 && !str_ends(in, STR("\r\n"));

	buf_init(&out, 2 * in.n + 5);
	dotstream_init(&bdat);
	for (size_t n = 0, k; n < in.n; n += k) {
		k = piece(&seed, in.n - n);
		dotstream_stuff(&bdat, (struct str){in.p + n, k}, &out);
	}
	dotstream_finish(&bdat, &out);
	must(!buf_over(&out));
	must(bdat.stored == out.n);
	must(bdat.size == in.n + (add ? 2 : 0));

	dotstream_init(&wire);
	must(dotstream_feed(&wire, buf_str(&out)) == out.n);
	same(&bdat, &wire);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	uint64_t seed = size;

	for (size_t i = 0; i < size && i < 8; i++)
		seed = seed << 8 ^ seed >> 56 ^ data[i];
	as_data(in, seed);
	as_bdat(in, seed);
	return 0;
}
