/* SPDX-License-Identifier: ISC */
/*
 * auth_wire - any bytes, in any pieces: what is taken for whole can be written again,
 *             and pieces make no difference
 */
#include "auth/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct wire *m, struct str in, size_t step)
{
	while (in.n > 0 && m->state == WIRE_MORE) {
		size_t used;

		wire_feed(m, (struct str){in.p, in.n < step ? in.n : step}, &used);
		must(used > 0);
		in = (struct str){in.p + used, in.n - used};
	}
}

/* copy - line by line, decoded and encoded */
static void copy(const struct wire *from, struct wire *to)
{
	struct str key, value;
	size_t at = 0;
	char name[WIRE_KEY_MAX + 1];
	struct buf decoded;

	buf_init(&decoded, WIRE_MAX);
	while (wire_next(from, &at, &key, &value)) {
		must(key.n < sizeof name);
		for (size_t i = 0; i < key.n; i++)
			name[i] = key.p[i];
		name[key.n] = '\0';
		buf_clear(&decoded);
		if (str_eq(key, STR("certificate-name")))
			must(wire_has(from, name));
		else
			must(wire_get(from, name, &decoded));
		must(!buf_over(&decoded));
		wire_put(to, name, buf_str(&decoded));
	}
	buf_fini(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct wire whole, pieces, again, back;

	wire_init(&whole);
	wire_init(&pieces);
	wire_init(&again);
	wire_init(&back);
	feed(&whole, in, SIZE_MAX);
	feed(&pieces, in, 1 + size % 5);
	must(whole.state == pieces.state && whole.broken == pieces.broken);
	if (whole.state == WIRE_WHOLE) {
		copy(&whole, &again);
		must(wire_finish(&again));
		feed(&back, buf_str(&again.text), SIZE_MAX);
		must(back.state == WIRE_WHOLE && back.lines == whole.lines);
	}
	wire_fini(&back);
	wire_fini(&again);
	wire_fini(&pieces);
	wire_fini(&whole);
	return 0;
}
