/* SPDX-License-Identifier: ISC */
/*
 * onward - a mark that was put is found, whatever the address; no header makes it stumble
 */
#include "mail/onward.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size}, address, rest;
	struct arena arena;
	struct header h;
	struct buf out;

	arena_init(&arena, SIZE_MAX);
	address = str_trim(str_cut(&in, '\n'));
	rest = in;
	header_parse(&h, &arena, &rest, true);
	onward_has_mark(&h, address);
	onward_failed_dmarc(&h, STR("mx.example.org"));

	buf_init(&out, 2 * size + 100);
	onward_put_mark(address, &out);
	must(!buf_over(&out) && out.p[out.n - 1] == '\n');
	rest = buf_str(&out);
	header_parse(&h, &arena, &rest, true);
	must(h.n == 1 && rest.n == 0);
	must(onward_has_mark(&h, address));
	buf_fini(&out);
	arena_fini(&arena);
	return 0;
}
