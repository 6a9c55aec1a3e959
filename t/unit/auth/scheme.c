/* SPDX-License-Identifier: ISC */
/* Hashes of other systems: known ones match, and what is none is refused. */
#include "auth/scheme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/secret_int.h"

#include <string.h>

/* What crypt(3), hashlib and others made of "correct horse"; and vectors that their authors
 * published. */
static const struct {
	struct str hash;
	const char *password; /* NULL: "correct horse" */
	const char *stored;   /* how it begins in a record */
} good[] = {
	/* clang-format off */
	{STR_INIT("{CRYPT}abhfCpXqd4GrI"), NULL, "abhf"},
	{STR_INIT("{CRYPT}$1$saltsalt$NuzA7WTAelpl95xgBGWN60"), NULL, "$1$"},
	{STR_INIT("{MD5-CRYPT}$1$saltsalt$NuzA7WTAelpl95xgBGWN60"), NULL, "$1$"},
	{STR_INIT("{MD5}$1$saltsalt$NuzA7WTAelpl95xgBGWN60"), NULL, "$1$"},
	{STR_INIT("{md5}$1$saltsalt$NuzA7WTAelpl95xgBGWN60"), NULL, "$1$"},
	{STR_INIT("{SHA256-CRYPT}$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC"), NULL, "$5$"},
	{STR_INIT("{CRYPT}$5$rounds=1000$saltstring$95Bg/RfV2QriLpMdLPHK9el0Ighm6E3CBqMKzZKgCa2"), NULL, "$5$"},
	{STR_INIT("{SHA512-CRYPT}$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/"), NULL, "$6$"},
	{STR_INIT("{CRYPT}$6$rounds=1000$saltstring$YiR6NSM0LQXmu7vAhkMXfkdYk7qtFouVx1Mdr3HmzXspT8kONjlpU3CsV7ezCB62uXJoAdaagsH4ck7/tB9js."), NULL, "$6$"},
	{STR_INIT("{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"), NULL, "$2b$"},
	{STR_INIT("{BCRYPT}$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"), NULL, "$2y$"},
	{STR_INIT("{CRYPT}$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"), NULL, "$2a$"},
	{STR_INIT("{YESCRYPT}$y$j75$saltsaltsaltsaltsalt$qVhqrHhDjzwEn0kG7s3PjZ296M0.qZ6M5aiaSh43/J8"), NULL, "$y$"},
	{STR_INIT("{crypt}$y$j75$saltsaltsaltsaltsalt$qVhqrHhDjzwEn0kG7s3PjZ296M0.qZ6M5aiaSh43/J8"), NULL, "$y$"},
	{STR_INIT("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="), NULL, "{SHA}"},
	{STR_INIT("{SSHA}bvtffqkhrMbVQlFpJuYd8xvI101OYUNsNDU2Nw=="), NULL, "{SSHA}"},
	{STR_INIT("{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE="), NULL, "{SHA256}"},
	{STR_INIT("{SSHA256}S4YIpABQjaEh6CRtS/h9qvwg3v1mnC3Bfe/6M7F4r+NOYUNsNDU2Nw=="), NULL, "{SSHA256}"},
	{STR_INIT("{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew=="), NULL, "{SHA512}"},
	{STR_INIT("{SSHA512}z2tmWBp4ECPPveSR/UDulG94NWOJKFK9LP5ske43g3Svs6rvsgbI/CuDoAJYATio2a0zpr1oco7/G1Q+RiL91U5hQ2w0NTY3"), NULL, "{SSHA512}"},
	{STR_INIT("{SMD5}t2O9kUaJJgJE7wCWWuvHBE5hQ2w0NTY3"), NULL, "{SMD5}"},
	{STR_INIT("{MD5}PLTnMmMfR+brlh80VUt83g=="), NULL, "{MD5}"},
	{STR_INIT("{LDAP-MD5}PLTnMmMfR+brlh80VUt83g=="), NULL, "{LDAP-MD5}"},
	{STR_INIT("{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde"), NULL, "{PLAIN-MD5}"},
	{STR_INIT("{plain-md5}3CB4E732631F47E6EB961F34554B7CDE"), NULL, "{PLAIN-MD5}"},

	/* Ulrich Drepper's text on SHA-crypt; crypt_blowfish; John the Ripper's self tests */
	{STR_INIT("{CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"), "Hello world!", "$5$"},
	{STR_INIT("{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"), "Hello world!", "$6$"},
	{STR_INIT("{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), "U*U", "$2a$"},
	{STR_INIT("{CRYPT}CCNf8Sbh3HDfQ"), "U*U*U*U*", "CC"},
	/* RFC 1321, FIPS 180-1 */
	{STR_INIT("{PLAIN-MD5}900150983cd24fb0d6963f7d28e17f72"), "abc", "{PLAIN-MD5}"},
	{STR_INIT("{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0="), "abc", "{SHA}"},
	/* clang-format on */
};

static bool matches(struct str stored, const char *password)
{
	struct err e;
	bool match;

	if (secret_hash_matches(NULL, stored.p, str_of(password), &match, &e) < 0)
		fail_msg(STR_FMT ": %s", STR_ARG(stored), e.text);
	return match;
}

static void known_hashes_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(good); i++) {
		const char *password =
			good[i].password ? good[i].password : "correct horse";
		struct scheme x;
		struct buf stored;
		struct err e;

		print_message("# " STR_FMT "\n", STR_ARG(good[i].hash));
		assert_true(scheme_is_named(good[i].hash));
		assert_int_equal(scheme_parse(good[i].hash, &x, &e), 0);
		buf_init(&stored, SCHEME_TEXT_MAX);
		scheme_print(&x, &stored);
		assert_true(str_starts(buf_str(&stored), str_of(good[i].stored)));
		assert_true(matches(buf_str(&stored), password));
		assert_false(matches(buf_str(&stored), "incorrect horse"));
		assert_false(matches(buf_str(&stored), "Correct horse"));
		buf_fini(&stored);
	}
}

#define TEN       "aaaaaaaaaa"
#define HUNDRED   TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define YES_43    "qVhqrHhDjzwEn0kG7s3PjZ296M0.qZ6M5aiaSh43/J8"
#define SHA512_86 TEN TEN TEN TEN TEN TEN TEN TEN "aaaaaa"

static const struct str bad[] = {
	/* clang-format off */
	STR_INIT(""),
	STR_INIT("secret"),
	STR_INIT("{"),
	STR_INIT("{}"),
	STR_INIT("{}x"),
	STR_INIT("{SHA"),
	STR_INIT("{NOSUCH}x"),
	STR_INIT(" {SHA}L55TUjtiq8FBorTWAZ0jy6g129A="),
	STR_INIT("{CRYPT}"),
	STR_INIT("{CRYPT}*"),
	STR_INIT("{CRYPT}!"),
	STR_INIT("{CRYPT}abhfCpXqd4GrIx"),
	STR_INIT("{CRYPT}abhfCpXqd4Gr:"),
	STR_INIT("{CRYPT}$"),
	STR_INIT("{CRYPT}$1$"),
	STR_INIT("{CRYPT}$1$saltsalt"),
	STR_INIT("{CRYPT}$1$saltsalt$"),
	STR_INIT("{CRYPT}$1$saltsalt$NuzA7WTAelpl95xgBGWN6"),
	STR_INIT("{CRYPT}$3$$8846f7eaee8fb117ad06bdd830b7586c"),
	STR_INIT("{CRYPT}$6$saltstring"),
	STR_INIT("{CRYPT}$6$rounds=999999999$saltstring$" SHA512_86),
	STR_INIT("{CRYPT}$6$rounds=$saltstring$" SHA512_86),
	STR_INIT("{CRYPT}$6$rounds=1000001$saltstring$" SHA512_86),
	STR_INIT("{CRYPT}$6$asaltthatistoolong$" SHA512_86),
	STR_INIT("{CRYPT}$2b$04$short"),
	STR_INIT("{CRYPT}$2b$16$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
	STR_INIT("{CRYPT}$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
	STR_INIT("{CRYPT}$2z$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
	STR_INIT("{CRYPT}$y$jzz$saltsaltsaltsaltsalt$" YES_43),
	STR_INIT("{CRYPT}$y$jGT$saltsaltsaltsaltsalt$" YES_43),
	STR_INIT("{CRYPT}$y$j9U$saltsaltsaltsaltsalt$" YES_43),
	STR_INIT("{CRYPT}$y$k9T$saltsaltsaltsaltsalt$" YES_43),
	STR_INIT("{CRYPT}$y$j9T$$" YES_43),
	STR_INIT("{CRYPT}$y$j9T$saltsalt$" YES_43 "x"),
	STR_INIT("{CRYPT}$y$"),
	STR_INIT("{SHA512-CRYPT}$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC"),
	STR_INIT("{MD5-CRYPT}abhfCpXqd4GrI"),
	STR_INIT("{SHA}"),
	STR_INIT("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A"),
	STR_INIT("{SHA}L55TUjtiq8FBorTWAZ0jy6g12w=="),
	STR_INIT("{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A="),
	STR_INIT("{SHA}bvtffqkhrMbVQlFpJuYd8xvI101OYUNsNDU2Nw=="),
	STR_INIT("{SSHA}" HUNDRED HUNDRED),
	STR_INIT("{MD5}$1$"),
	STR_INIT("{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cd"),
	STR_INIT("{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cdg"),
	STR_INIT("{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde00"),
	STR_INIT("{CRYPT}$1$sa\0tsalt$NuzA7WTAelpl95xgBGWN60"),
	STR_INIT("{PLAIN}" HUNDRED HUNDRED HUNDRED HUNDRED),
	/* clang-format on */
};

static void what_is_no_hash_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		struct scheme x;
		struct err e = {0};

		print_message("# " STR_FMT "\n", STR_ARG(bad[i]));
		assert_int_equal(scheme_parse(bad[i], &x, &e), -1);
		assert_int_equal(e.class, ERR_PERM);
		/* Not a word of what may be somebody's password. */
		assert_null(strstr(e.text, "secret"));
	}
}

/* The dearest that are taken, so that those above are refused for their cost alone. */
static void what_costs_just_not_too_much_is_taken(void **state)
{
	static const struct str dear[] = {
		/* clang-format off */
		STR_INIT("{CRYPT}$6$rounds=1000000$saltstring$" SHA512_86),
		STR_INIT("{CRYPT}$2b$15$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
		STR_INIT("{CRYPT}$y$jFT$saltsaltsaltsaltsalt$" YES_43),
		/* clang-format on */
	};
	struct scheme x;
	struct err e;

	(void)state;
	for (size_t i = 0; i < countof(dear); i++)
		assert_int_equal(scheme_parse(dear[i], &x, &e), 0);
}

static void a_password_may_be_given_so(void **state)
{
	static const struct str plain[] = {STR_INIT("{PLAIN}a}b"),
					   STR_INIT("{cleartext}a}b")};
	struct scheme x;
	struct err e;

	(void)state;
	for (size_t i = 0; i < countof(plain); i++) {
		assert_int_equal(scheme_parse(plain[i], &x, &e), 0);
		assert_int_equal(x.kind, SCHEME_PLAIN);
		assert_true(str_eq(x.value, STR("a}b")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_hashes_match),
		cmocka_unit_test(what_is_no_hash_is_refused),
		cmocka_unit_test(what_costs_just_not_too_much_is_taken),
		cmocka_unit_test(a_password_may_be_given_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
