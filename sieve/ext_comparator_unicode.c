/* SPDX-License-Identifier: ISC */
/* i;unicode-casemap (RFC 5051): each character by its title case, decomposed, as octets */
#include "sieve/extensions_int.h"

#include "sieve/text_int.h"

#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

enum { DEPTH = 8 }; /* of decompositions in decompositions; Unicode has less */

/* put_decomposed - RFC 5051 section 2: until nothing changes, and in no other order */
static void put_decomposed(struct buf *out, ucs4_t c, int depth)
{
	ucs4_t pieces[UC_DECOMPOSITION_MAX_LENGTH];
	int tag, n = depth < DEPTH ? uc_decomposition(c, &tag, pieces) : -1;

	if (n < 0)
		text_put_point(out, c);
	for (int i = 0; i < n; i++)
		put_decomposed(out, pieces[i], depth + 1);
}

/* next - the character that `s` begins with, and its octets; a bad octet is itself */
static size_t next(struct str s, ucs4_t *c)
{
	int n = u8_mbtoucr(c, (const uint8_t *)s.p, s.n);

	if (n > 0)
		return (size_t)n;
	*c = 0xfffd;
	return 1;
}

/* grow - of places: for each octet of `out`, where it comes from */
static void place(uint32_t *map, size_t from, size_t to, size_t at)
{
	for (size_t i = from; i < to; i++)
		map[i] = (uint32_t)at;
}

static struct str canonical(struct run *r, struct str s, uint32_t **map)
{
	/* The longest decomposition of one character is 18 characters of 2 octets. */
	enum { MOST = 40 };
	struct buf out;
	uint32_t *places = NULL;
	size_t room = 0;

	/* A character costs as much as eight octets elsewhere. */
	if (!run_spend(r, 8 * s.n))
		return s;
	buf_init(&out, s.n * MOST + MOST);
	for (size_t at = 0; at < s.n;) {
		ucs4_t c;
		size_t from = out.n, n = next((struct str){s.p + at, s.n - at}, &c);

		put_decomposed(&out, uc_totitle(c), 0);
		if (map != NULL && out.n + 1 > room) {
			places = xgrow(places, room * sizeof *places,
				       2 * (out.n + 1) * sizeof *places);
			room = 2 * (out.n + 1);
		}
		if (map != NULL)
			place(places, from, out.n, at);
		at += n;
	}
	if (map != NULL) {
		*map = arena_alloc(r->arena, (out.n + 1) * sizeof **map);
		for (size_t i = 0; i < out.n; i++)
			(*map)[i] = places[i];
		(*map)[out.n] = (uint32_t)s.n;
		xfree(&places);
	}
	return run_take(r, &out);
}

static const struct comparator unicode = {.name = "i;unicode-casemap",
					  .canonical = canonical};

const struct extension ext_comparator_unicode = {.name = "comparator-i;unicode-casemap",
						 .comparator = &unicode};
