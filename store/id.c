/* SPDX-License-Identifier: ISC */
#include "store/id.h"

enum { WRITER_BITS = 11, SEQUENCE_BITS = 12, TIME_SHIFT = WRITER_BITS + SEQUENCE_BITS };

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

/* A digit's value and one more; a maildrop's lines have hundreds of thousands. */
static const unsigned char values[256] = {
	/* clang-format off */
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7,
	['7'] = 8, ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14,
	['e'] = 15, ['f'] = 16, ['g'] = 17, ['h'] = 18, ['i'] = 19, ['j'] = 20, ['k'] = 21,
	['l'] = 22, ['m'] = 23, ['n'] = 24, ['o'] = 25, ['p'] = 26, ['q'] = 27, ['r'] = 28,
	['s'] = 29, ['t'] = 30, ['u'] = 31, ['v'] = 32,
	/* clang-format on */
};

struct id_text id_print(uint64_t id)
{
	struct id_text t = {0};

	for (size_t i = ID_CHARS; i-- > 0; id >>= 5)
		t.c[i] = digits[id & 31];
	return t;
}

bool id_parse(struct str s, uint64_t *out)
{
	uint64_t id = 0;

	/* 13 digits hold 65 bits: the first one has four. */
	if (s.n != ID_CHARS || s.p[0] < '0' || s.p[0] > 'f' ||
	    (s.p[0] > '9' && s.p[0] < 'a'))
		return false;
	for (size_t i = 0; i < ID_CHARS; i++) {
		unsigned d = values[(unsigned char)s.p[i]];

		if (d == 0)
			return false;
		id = id << 5 | (d - 1);
	}
	*out = id;
	return true;
}

uint64_t id_make(uint64_t unix_ms, uint32_t writer, uint32_t sequence)
{
	must(unix_ms >= ID_EPOCH_MS && unix_ms <= ID_LAST_MS);
	must(writer < ID_WRITERS && sequence < ID_SEQUENCE);
	return (unix_ms - ID_EPOCH_MS) << TIME_SHIFT | (uint64_t)writer << SEQUENCE_BITS |
	       sequence;
}

uint64_t id_unix_ms(uint64_t id)
{
	return (id >> TIME_SHIFT) + ID_EPOCH_MS;
}

uint32_t id_writer(uint64_t id)
{
	return (uint32_t)(id >> SEQUENCE_BITS) & (ID_WRITERS - 1);
}
