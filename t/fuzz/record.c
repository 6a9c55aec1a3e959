/* SPDX-License-Identifier: ISC */
/*
 * record - any octets can be looked at as a record, and any value that was put in
 *          a whole one comes back as it was
 */
#include "store/record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char kind[] = "popstore-fuzz";

/* take_apart - whether it is whole or not: damage is found by the sum, not by a crash */
static void take_apart(struct str text)
{
	struct str rest = text, key, value;
	struct buf out;
	struct err e;
	uint64_t n;

	(void)!record_check(text, kind, "input", &e);
	buf_init(&out, text.n);
	while (record_next(&rest, &key, &value)) {
		must(key.n > 0 && memchr(key.p, '\n', key.n) == NULL);
		buf_clear(&out);
		record_decode(value, &out);
		must(!buf_over(&out) && out.n <= value.n);
	}
	buf_clear(&out);
	(void)record_get(text, "name", &out);
	(void)!record_get_u64(text, "quota", &n);
	buf_fini(&out);
}

/* put_and_get - the input as values, one a line, all under one key */
static void put_and_get(struct str in)
{
	struct record_writer w;
	struct str text, rest, values = in, key, value;
	struct err e;

	record_begin(&w, kind);
	while (values.n > 0)
		record_put(&w, "value", str_cut(&values, '\n'));
	record_put(&w, "all", in);
	if (!record_fits(&w)) {
		record_fini(&w);
		return;
	}
	text = record_finish(&w);
	must(text.n <= RECORD_MAX && record_check(text, kind, "own", &e) == 0);
	for (rest = text, values = in; record_next(&rest, &key, &value);) {
		struct str want = str_eq(key, STR("all")) ? in : str_cut(&values, '\n');
		struct buf out;

		buf_init(&out, value.n);
		record_decode(value, &out);
		must(str_eq(buf_str(&out), want));
		buf_fini(&out);
	}
	must(values.n == 0);
	/* one octet less, or another one, is no record */
	must(record_check((struct str){text.p, text.n - 1}, kind, "cut", &e) < 0);
	w.text.p[in.n % text.n] ^= 1;
	must(record_check(text, kind, "flipped", &e) < 0);
	record_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};

	take_apart(in);
	put_and_get(in);
	return 0;
}
