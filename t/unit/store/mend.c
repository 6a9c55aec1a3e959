/* SPDX-License-Identifier: ISC */
#include "store/mend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/record.h"

#include <stdlib.h>
#include <string.h>

static bool is_whole(struct str text, void *ctx)
{
	struct err ignored;

	(void)ctx;
	return record_check(text, "popstore-example", "x", &ignored) == 0;
}

/* example - a record; the caller frees it */
static char *example(size_t *n)
{
	struct record_writer w;
	struct str text;
	char *copy;

	record_begin(&w, "popstore-example");
	record_put(&w, "name", STR("alice@example.org"));
	record_put_u64(&w, "quota", 104857600);
	text = record_finish(&w);
	*n = text.n;
	copy = xalloc(text.n);
	memcpy(copy, text.p, text.n);
	record_fini(&w);
	return copy;
}

static void any_changed_octet_is_found(void **state)
{
	size_t n;
	char *good = example(&n), *bad = xalloc(n);

	(void)state;
	for (size_t at = 0; at < n; at++) {
		memcpy(bad, good, n);
		bad[at] = (char)(bad[at] ^ (1 << at % 8));
		assert_true(mend_octet(bad, n, is_whole, NULL));
		assert_memory_equal(bad, good, n);
	}
	xfree(&good);
	xfree(&bad);
}

static void what_is_whole_stays(void **state)
{
	size_t n;
	char *good = example(&n), *copy = example(&n);

	(void)state;
	assert_true(mend_octet(copy, n, is_whole, NULL));
	assert_memory_equal(copy, good, n);
	xfree(&good);
	xfree(&copy);
}

static void two_changed_octets_are_left_as_they_are(void **state)
{
	size_t n;
	char *bad = example(&n), *was = xalloc(n);

	(void)state;
	bad[30] ^= 1;
	bad[40] ^= 1;
	memcpy(was, bad, n);
	assert_false(mend_octet(bad, n, is_whole, NULL));
	assert_memory_equal(bad, was, n);
	xfree(&bad);
	xfree(&was);
}

static void long_texts_are_not_tried(void **state)
{
	char *long_text = xalloc(MEND_MAX + 1);

	(void)state;
	assert_false(mend_octet(long_text, MEND_MAX + 1, is_whole, NULL));
	xfree(&long_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_changed_octet_is_found),
		cmocka_unit_test(what_is_whole_stays),
		cmocka_unit_test(two_changed_octets_are_left_as_they_are),
		cmocka_unit_test(long_texts_are_not_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
