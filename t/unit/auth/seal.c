/* SPDX-License-Identifier: ISC */
/* What was sealed opens, and nothing that differs in one bit does. */
#include "auth/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const unsigned char key[SEAL_KEY] = "0123456789abcdef0123456789abcde";

static void seal(struct str context, struct str text, struct buf *out)
{
	struct err e;

	buf_init(out, 400);
	assert_int_equal(seal_make(key, context, text, out, &e), 0);
	assert_int_equal(out->n, text.n + SEAL_MORE);
}

static void what_was_sealed_opens(void **state)
{
	static const struct str texts[] = {STR_INIT(""), STR_INIT("x"),
					   STR_INIT("correct horse battery staple")};

	(void)state;
	for (size_t i = 0; i < countof(texts); i++) {
		struct buf sealed, opened;

		seal(STR("alice"), texts[i], &sealed);
		buf_init_secret(&opened, 256);
		assert_true(seal_open(key, STR("alice"), buf_str(&sealed), &opened));
		assert_true(str_eq(buf_str(&opened), texts[i]));
		buf_fini_secret(&opened);
		buf_fini(&sealed);
	}
}

/* Test case 14 of the GCM specification (McGrew and Viega): all zero. */
static void a_vector_of_others_opens(void **state)
{
	static const unsigned char k[SEAL_KEY] = {0};
	static const unsigned char sealed[] = {
		0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
		0,    0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e,
		0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18, 0xd0, 0xd1, 0xc8, 0xa7, 0x99,
		0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};
	static const char zeros[16];
	struct buf opened;

	(void)state;
	buf_init_secret(&opened, 256);
	assert_true(seal_open(
		k, STR(""), (struct str){(const char *)sealed, sizeof sealed}, &opened));
	assert_int_equal(opened.n, sizeof zeros);
	assert_memory_equal(opened.p, zeros, sizeof zeros);
	buf_fini_secret(&opened);
}

static void nothing_else_opens(void **state)
{
	unsigned char other[SEAL_KEY];
	struct buf sealed, opened;

	(void)state;
	seal(STR("alice"), STR("secret"), &sealed);
	buf_init_secret(&opened, 256);
	for (size_t i = 0; i < sealed.n * 8; i++) {
		sealed.p[i / 8] ^= (char)(1 << i % 8);
		assert_false(seal_open(key, STR("alice"), buf_str(&sealed), &opened));
		assert_int_equal(opened.n, 0);
		sealed.p[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t n = 0; n < sealed.n; n++)
		assert_false(
			seal_open(key, STR("alice"), (struct str){sealed.p, n}, &opened));
	memcpy(other, key, sizeof other);
	other[31] ^= 1;
	assert_false(seal_open(other, STR("alice"), buf_str(&sealed), &opened));
	assert_false(seal_open(key, STR("bob"), buf_str(&sealed), &opened));
	assert_false(seal_open(key, STR(""), buf_str(&sealed), &opened));
	assert_true(seal_open(key, STR("alice"), buf_str(&sealed), &opened));
	buf_fini_secret(&opened);
	buf_fini(&sealed);
}

static void no_two_seals_are_alike(void **state)
{
	struct buf a, b;

	(void)state;
	seal(STR("alice"), STR("secret"), &a);
	seal(STR("alice"), STR("secret"), &b);
	assert_memory_not_equal(a.p, b.p, SEAL_NONCE);
	assert_memory_not_equal(a.p + SEAL_NONCE, b.p + SEAL_NONCE, 6);
	buf_fini(&a);
	buf_fini(&b);
}

static void what_does_not_fit_is_an_error(void **state)
{
	struct buf small;
	struct err e;

	(void)state;
	buf_init(&small, SEAL_MORE);
	assert_int_equal(seal_make(key, STR(""), STR("x"), &small, &e), -1);
	buf_fini(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_opens),
		cmocka_unit_test(a_vector_of_others_opens),
		cmocka_unit_test(nothing_else_opens),
		cmocka_unit_test(no_two_seals_are_alike),
		cmocka_unit_test(what_does_not_fit_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
