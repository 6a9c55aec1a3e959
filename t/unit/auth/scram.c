/* SPDX-License-Identifier: ISC */
/* Verifiers, by the conversations that RFC 5802 and RFC 7677 print. */
#include "auth/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base64.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

/* ---- the RFCs' conversations ----------------------------------------------------- */

static const struct {
	enum scram_hash hash;
	const EVP_MD *(*md)(void);
	const char *salt, *messages, *proof, *signature;
} talks[] = {
	/* clang-format off */
	{SCRAM_SHA_1, EVP_sha1, "QSXCR+Q6sek8bf92",
	 "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
	 "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
	 "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
	 "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
	{SCRAM_SHA_256, EVP_sha256, "W22ZaJ0SNY7soEsUEjb6gQ==",
	 "n=user,r=rOprNGfwEbeRWgbNEkqO,"
	 "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
	 "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	 "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	 "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	/* clang-format on */
};

static size_t octets_of(const char *text, unsigned char *out)
{
	struct buf b;
	size_t n;

	buf_init(&b, SCRAM_KEY_MAX);
	assert_true(base64_decode(str_of(text), &b));
	n = b.n;
	memcpy(out, b.p, n);
	buf_fini(&b);
	return n;
}

static void sign(const EVP_MD *md, const unsigned char *key, const char *text,
		 unsigned char *out)
{
	assert_non_null(HMAC(md, key, EVP_MD_get_size(md), (const unsigned char *)text,
			     strlen(text), out, NULL));
}

/* proves - RFC 5802 s3, the server's part */
static bool proves(const struct scram_verifier *v, const EVP_MD *md, const char *messages,
		   const char *proof)
{
	unsigned char p[SCRAM_KEY_MAX], signature[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
	size_t n = octets_of(proof, p);

	sign(md, v->stored_key, messages, signature);
	for (size_t i = 0; i < n; i++)
		p[i] ^= signature[i];
	assert_int_equal(EVP_Digest(p, n, stored, NULL, md, NULL), 1);
	return n == scram_key_octets(v->hash) && memcmp(stored, v->stored_key, n) == 0;
}

static void the_conversations_of_the_rfcs_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(talks); i++) {
		struct scram_verifier v = {.hash = talks[i].hash, .iterations = 4096};
		unsigned char expected[SCRAM_KEY_MAX], signature[SCRAM_KEY_MAX];
		const EVP_MD *md = talks[i].md();
		struct err e;

		v.salt_n = octets_of(talks[i].salt, v.salt);
		assert_int_equal(scram_make(STR("pencil"), &v, &e), 0);
		assert_true(proves(&v, md, talks[i].messages, talks[i].proof));
		sign(md, v.server_key, talks[i].messages, signature);
		assert_memory_equal(signature, expected,
				    octets_of(talks[i].signature, expected));

		assert_int_equal(scram_make(STR("Pencil"), &v, &e), 0);
		assert_false(proves(&v, md, talks[i].messages, talks[i].proof));
	}
}

/* ---- text ------------------------------------------------------------------------ */

static void assert_same(const struct scram_verifier *a, const struct scram_verifier *b)
{
	size_t n = scram_key_octets(a->hash);

	assert_int_equal(a->hash, b->hash);
	assert_int_equal(a->iterations, b->iterations);
	assert_int_equal(a->salt_n, b->salt_n);
	assert_memory_equal(a->salt, b->salt, a->salt_n);
	assert_memory_equal(a->stored_key, b->stored_key, n);
	assert_memory_equal(a->server_key, b->server_key, n);
}

static void what_is_printed_is_read_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCRAM_HASHES; i++) {
		struct scram_verifier v = {.hash = (enum scram_hash)i}, again;
		struct buf b;
		struct err e;

		v.iterations = SCRAM_ITERATIONS_MIN;
		assert_int_equal(scram_new(STR("pencil"), &v, &e), 0);
		buf_init(&b, SCRAM_TEXT_MAX - 1);
		scram_print(&v, &b);
		assert_false(buf_over(&b));
		print_message("# %s\n", buf_cstr(&b));
		assert_true(scram_parse(buf_str(&b), &again));
		assert_same(&v, &again);
		for (size_t n = 0; n < b.n; n++)
			assert_false(scram_parse((struct str){b.p, n}, &again));
		buf_fini(&b);
	}
}

#define KEY20 "AAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void what_is_no_verifier_is_refused(void **state)
{
	static const char *const wrong[] = {
		/* clang-format off */
		"", "none", "SCRAM-SHA-1", "SCRAM-SHA-1$", "SCRAM-SHA-1$4096:",
		"SCRAM-SHA-224$4096:AAAA$" KEY20 ":" KEY20,
		"scram-sha-1$4096:AAAA$" KEY20 ":" KEY20,
		"SCRAM-SHA-1$0:AAAA$" KEY20 ":" KEY20,
		"SCRAM-SHA-1$-1:AAAA$" KEY20 ":" KEY20,
		"SCRAM-SHA-1$4294967296:AAAA$" KEY20 ":" KEY20,
		"SCRAM-SHA-1$1000001:AAAA$" KEY20 ":" KEY20,
		"SCRAM-SHA-1$4096:$" KEY20 ":" KEY20,
		"SCRAM-SHA-1$4096:AAA$" KEY20 ":" KEY20,
		"SCRAM-SHA-1$4096:AAAA$" KEY20,
		"SCRAM-SHA-1$4096:AAAA$" KEY20 ":AAAA",
		"SCRAM-SHA-1$4096:AAAA$AAAA:" KEY20,
		"SCRAM-SHA-1$4096:AAAA$" KEY20 ":" KEY20 ":",
		"SCRAM-SHA-1$4096:AAAA$" KEY20 ":" KEY20 " ",
		"SCRAM-SHA-256$4096:AAAA$" KEY20 ":" KEY20,
		/* clang-format on */
	};
	struct scram_verifier v;

	(void)state;
	assert_true(scram_parse(STR("SCRAM-SHA-1$4096:AAAA$" KEY20 ":" KEY20), &v));
	for (size_t i = 0; i < countof(wrong); i++) {
		print_message("# %s\n", wrong[i]);
		assert_false(scram_parse(str_of(wrong[i]), &v));
	}
}

/* ---- preparing ----------------------------------------------------------------------- */

static const struct {
	struct str password;
	const char *prepared; /* NULL: it cannot be */
} passwords[] = {
	/* clang-format off */
	/* RFC 4013 s3 */
	{STR_INIT("I\xc2\xadX"),         "IX"},
	{STR_INIT("user"),               "user"},
	{STR_INIT("USER"),               "USER"},
	{STR_INIT("\xc2\xaa"),           "a"},
	{STR_INIT("\xe2\x85\xa8"),       "IX"},
	{STR_INIT("\x07"),               NULL},
	{STR_INIT("\xd8\xa7" "1"),       NULL},

	{STR_INIT("a b"),                "a b"},
	{STR_INIT("\xc3\xb6" "ffne"),    "\xc3\xb6" "ffne"},
	{STR_INIT("o\xcc\x88" "ffne"),   "\xc3\xb6" "ffne"}, /* composed */
	{STR_INIT("a\xc2\xa0" "b"),      "a b"},             /* NO-BREAK SPACE */
	{STR_INIT("\xf0\x9f\x90\xb4"),   NULL},              /* a horse, Unicode 6.0 */
	{STR_INIT("\xc2\xad"),           NULL},              /* nothing is left */
	{STR_INIT("\xff\x80"),           NULL},
	{STR_INIT("\xc0\xaf"),           NULL},
	{STR_INIT("\xed\xa0\x80"),       NULL},              /* a surrogate */
	{STR_INIT("a\0b"),               NULL},
	{STR_INIT(""),                   NULL},
	/* clang-format on */
};

static void passwords_are_prepared(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(passwords); i++) {
		struct buf b;

		print_message("# row %zu\n", i);
		buf_init_secret(&b, 1024);
		assert_int_equal(scram_prepare(passwords[i].password, &b),
				 passwords[i].prepared != NULL);
		if (passwords[i].prepared != NULL)
			assert_string_equal(buf_cstr(&b), passwords[i].prepared);
		buf_fini_secret(&b);
	}
}

/* U+FDFA is the one that grows most: 3 octets to 33. */
static void what_grows_stays_within_bounds(void **state)
{
	struct buf text, out;

	(void)state;
	for (size_t n = 1; n <= 85; n++) {
		buf_init(&text, 256);
		for (size_t i = 0; i < n; i++)
			buf_put(&text, STR("\xef\xb7\xba"));
		buf_init_secret(&out, 1024);
		if (scram_prepare(buf_str(&text), &out))
			assert_int_equal(out.n, n * 33);
		else
			assert_true(n * 33 >= 1000 && out.n == 0);
		buf_fini_secret(&out);
		buf_fini(&text);
	}
}

/* ---- for nobody -------------------------------------------------------------------------- */

static void a_fake_one_is_always_the_same_and_nobody_elses(void **state)
{
	static const unsigned char key[32] = "a key", other_key[32] = "another";
	struct scram_verifier a = {.hash = SCRAM_SHA_256, .iterations = 4096};
	struct scram_verifier b = a, c = a, d = a, f = a;
	struct err e;

	(void)state;
	d.hash = SCRAM_SHA_512;
	assert_int_equal(scram_fake(key, STR("alice@example.org"), &a, &e), 0);
	assert_int_equal(scram_fake(key, STR("alice@example.org"), &b, &e), 0);
	assert_int_equal(scram_fake(key, STR("alice@example.net"), &c, &e), 0);
	assert_int_equal(scram_fake(key, STR("alice@example.org"), &d, &e), 0);
	assert_int_equal(scram_fake(other_key, STR("alice@example.org"), &f, &e), 0);
	assert_same(&a, &b);
	assert_int_equal(a.salt_n, SCRAM_SALT_OCTETS);
	assert_memory_not_equal(a.salt, c.salt, a.salt_n);
	assert_memory_not_equal(a.salt, d.salt, a.salt_n);
	assert_memory_not_equal(a.salt, f.salt, a.salt_n);
	assert_memory_not_equal(a.stored_key, c.stored_key, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_conversations_of_the_rfcs_are_accepted),
		cmocka_unit_test(what_is_printed_is_read_again),
		cmocka_unit_test(what_is_no_verifier_is_refused),
		cmocka_unit_test(passwords_are_prepared),
		cmocka_unit_test(what_grows_stays_within_bounds),
		cmocka_unit_test(a_fake_one_is_always_the_same_and_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
