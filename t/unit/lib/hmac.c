/* SPDX-License-Identifier: ISC */
#include "lib/hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* RFC 4231, cases 1 and 2. */
static const struct {
	struct str key, text;
	unsigned char sum[HMAC_OCTETS];
} rows[] = {
	/* clang-format off */
	{STR_INIT("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
	 STR_INIT("Hi There"),
	 {0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
	  0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7}},
	{STR_INIT("Jefe"), STR_INIT("what do ya want for nothing?"),
	 {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
	  0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43}},
	/* clang-format on */
};

static void as_the_rfc_has_it(void **state UNUSED)
{
	for (size_t i = 0; i < countof(rows); i++) {
		unsigned char sum[HMAC_OCTETS];

		hmac_sha256(rows[i].key, rows[i].text, sum);
		assert_memory_equal(sum, rows[i].sum, sizeof sum);
	}
}

static void as_openssl_has_it(void **state UNUSED)
{
	char key[HMAC_KEY_MAX], text[200];

	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (char)(i * 37 + 200);
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 11);
	for (size_t n = 0; n <= sizeof key; n++) {
		unsigned char ours[HMAC_OCTETS], theirs[HMAC_OCTETS];
		unsigned octets = sizeof theirs;
		struct str part = {text, n * 3};

		hmac_sha256((struct str){key, n}, part, ours);
		assert_non_null(HMAC(EVP_sha256(), key, (int)n,
				     (const unsigned char *)part.p, part.n, theirs,
				     &octets));
		assert_memory_equal(ours, theirs, sizeof ours);
		sha256_of(part, ours);
		assert_int_equal(
			EVP_Digest(part.p, part.n, theirs, NULL, EVP_sha256(), NULL), 1);
		assert_memory_equal(ours, theirs, sizeof ours);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_rfc_has_it),
		cmocka_unit_test(as_openssl_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
