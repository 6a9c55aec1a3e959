/* SPDX-License-Identifier: ISC */
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* exact - a copy with nothing behind its last octet, so that ASan sees a read past it */
static struct str exact(struct str s)
{
	char *p = xalloc(s.n);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct str){p, s.n};
}

static void drop(struct str s)
{
	char *p = (char *)(uintptr_t)s.p;

	xfree(&p);
}

static void compares_octets(void **state UNUSED)
{
	static const struct {
		struct str a, b;
		bool eq, ieq;
	} rows[] = {
		/* clang-format off */
		{STR_INIT(""),       STR_INIT(""),       true,  true},
		{STR_INIT("a"),      STR_INIT("a"),      true,  true},
		{STR_INIT("a"),      STR_INIT("A"),      false, true},
		{STR_INIT("a"),      STR_INIT("ab"),     false, false},
		{STR_INIT("a\0b"),   STR_INIT("a\0c"),   false, false},
		{STR_INIT("a\0b"),   STR_INIT("A\0B"),   false, true},
		{STR_INIT("[\\]"),   STR_INIT("{|}"),    false, false},
		{STR_INIT("\xc4"),   STR_INIT("\xe4"),   false, false}, /* Latin-1 is not ASCII */
		{STR_INIT("@"),      STR_INIT("`"),      false, false},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct str a = exact(rows[i].a), b = exact(rows[i].b);

		assert_int_equal(str_eq(a, b), rows[i].eq);
		assert_int_equal(str_ieq(a, b), rows[i].ieq);
		assert_int_equal(str_ieq(b, a), rows[i].ieq);
		drop(a);
		drop(b);
	}
	assert_true(str_eq(str_of(NULL), STR("")));
	assert_true(str_eq((struct str){NULL, 0}, STR("")));
}

static void knows_both_ends(void **state UNUSED)
{
	assert_true(str_starts(STR("RCPT TO"), STR("RCPT")));
	assert_true(str_starts(STR("RCPT"), STR("RCPT")));
	assert_true(str_starts(STR("RCPT"), STR("")));
	assert_false(str_starts(STR("RCP"), STR("RCPT")));
	assert_false(str_starts(STR("rcpt"), STR("RCPT")));
	assert_true(str_istarts(STR("rcpt to"), STR("RCPT")));
	assert_false(str_istarts(STR("rcp"), STR("RCPT")));
	assert_true(str_ends(STR("a@b.org"), STR(".org")));
	assert_true(str_ends(STR(".org"), STR(".org")));
	assert_false(str_ends(STR("org"), STR(".org")));
	assert_false(str_ends(STR("a.ORG"), STR(".org")));
}

static void trims_blanks_only(void **state UNUSED)
{
	assert_true(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
	assert_true(str_eq(str_trim(STR("\r\n")), STR("\r\n")));
	assert_true(str_eq(str_trim(STR(" \t ")), STR("")));
	assert_true(str_eq(str_trim(STR("")), STR("")));
}

static void cuts_at_one_separator(void **state UNUSED)
{
	struct str rest = STR("a,,b");

	assert_true(str_eq(str_cut(&rest, ','), STR("a")));
	assert_true(str_eq(rest, STR(",b")));
	assert_true(str_eq(str_cut(&rest, ','), STR("")));
	assert_true(str_eq(str_cut(&rest, ','), STR("b")));
	assert_int_equal(rest.n, 0);
	assert_true(str_eq(str_cut(&rest, ','), STR("")));
	rest = STR("RETR 1");
	assert_true(str_eq(str_word(&rest), STR("RETR")));
	assert_true(str_eq(rest, STR("1")));
	rest = STR("a,");
	assert_true(str_eq(str_cut(&rest, ','), STR("a")));
	assert_int_equal(rest.n, 0);
}

enum { U32 = 1, U64 = 2, HEX = 4, SIZE = 8 };

static void numbers_at_their_limits(void **state UNUSED)
{
	static const struct {
		struct str s;
		unsigned is; /* which parsers take it */
		uint64_t value, hex;
	} rows[] = {
		/* clang-format off */
		{STR_INIT(""),                      0, 0, 0},
		{STR_INIT("0"),                     U32 | U64 | HEX | SIZE, 0, 0},
		{STR_INIT("00000000000000000007"),  U32 | U64 | SIZE, 7, 0},
		{STR_INIT("0000000000000007"),      U32 | U64 | HEX | SIZE, 7, 7},
		{STR_INIT("10"),                    U32 | U64 | HEX | SIZE, 10, 16},
		{STR_INIT("4294967295"),            U32 | U64 | HEX | SIZE, UINT32_MAX, 0x4294967295},
		{STR_INIT("4294967296"),            U64 | HEX | SIZE, UINT64_C(4294967296), 0x4294967296},
		{STR_INIT("18446744073709551615"),  U64 | SIZE, UINT64_MAX, 0},
		{STR_INIT("18446744073709551616"),  0, 0, 0},
		{STR_INIT("18446744073709551620"),  0, 0, 0},
		{STR_INIT("99999999999999999999"),  0, 0, 0},
		{STR_INIT("ffffffffffffffff"),      HEX, 0, UINT64_MAX},
		{STR_INIT("FFFFFFFFFFFFFFFF"),      HEX, 0, UINT64_MAX},
		{STR_INIT("10000000000000000"),     U64 | SIZE, UINT64_C(10000000000000000), 0},
		{STR_INIT("-1"),                    0, 0, 0},
		{STR_INIT("+1"),                    0, 0, 0},
		{STR_INIT(" 1"),                    0, 0, 0},
		{STR_INIT("1 "),                    0, 0, 0},
		{STR_INIT("0x1"),                   0, 0, 0},
		{STR_INIT("1\0"),                   0, 0, 0},
		{STR_INIT("g"),                     0, 0, 0},
		{STR_INIT("\xb2"),                  0, 0, 0}, /* Latin-1 superscript two */
		{STR_INIT("1k"),                    SIZE, 1024, 0},
		{STR_INIT("50M"),                   SIZE, UINT64_C(50) << 20, 0},
		{STR_INIT("3G"),                    SIZE, UINT64_C(3) << 30, 0},
		{STR_INIT("16777215T"),             SIZE, UINT64_C(16777215) << 40, 0},
		{STR_INIT("16777216T"),             0, 0, 0},
		{STR_INIT("k"),                     0, 0, 0},
		{STR_INIT("1kk"),                   0, 0, 0},
		{STR_INIT("1 "),                    0, 0, 0},
		{STR_INIT("1 2"),                   0, 0, 0},
		{STR_INIT("1 k"),                   0, 0, 0},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct str s = exact(rows[i].s);
		uint32_t u32 = 99;
		uint64_t u64 = 99, hex = 99, size = 99;

		print_message("# number \"" STR_FMT "\"\n", STR_ARG(s));
		assert_int_equal(str_u32(s, &u32), (rows[i].is & U32) != 0);
		assert_int_equal(str_u64(s, &u64), (rows[i].is & U64) != 0);
		assert_int_equal(str_hex64(s, &hex), (rows[i].is & HEX) != 0);
		assert_int_equal(str_size(s, &size), (rows[i].is & SIZE) != 0);
		/* What is refused leaves the target as it was. */
		assert_int_equal(u32, rows[i].is & U32 ? rows[i].value : 99);
		assert_int_equal(u64, rows[i].is & U64 ? rows[i].value : 99);
		assert_int_equal(hex, rows[i].is & HEX ? rows[i].hex : 99);
		assert_int_equal(size, rows[i].is & SIZE ? rows[i].value : 99);
		drop(s);
	}
}

static void numbers_are_taken_word_by_word(void **state UNUSED)
{
	static const struct {
		struct str text, rest;
		uint64_t value;
		bool is, fits;
	} rows[] = {
		/* clang-format off */
		{STR_INIT("12 x"),                  STR_INIT("x"), 12, true, true},
		{STR_INIT("12  x"),                 STR_INIT(" x"), 12, true, true},
		{STR_INIT("7"),                     STR_INIT(""), 7, true, true},
		{STR_INIT("7 "),                    STR_INIT(""), 7, true, true},
		{STR_INIT("4294967295 "),           STR_INIT(""), UINT32_MAX, true, true},
		{STR_INIT("4294967296 -"),          STR_INIT("-"), UINT64_C(4294967296), true, false},
		{STR_INIT("18446744073709551615 "), STR_INIT(""), UINT64_MAX, true, false},
		{STR_INIT("18446744073709551616 "), STR_INIT(""), 0, false, false},
		{STR_INIT(""),                      STR_INIT(""), 0, false, false},
		{STR_INIT(" 1"),                    STR_INIT(""), 0, false, false},
		{STR_INIT("1x 2"),                  STR_INIT(""), 0, false, false},
		{STR_INIT("1\t2"),                  STR_INIT(""), 0, false, false},
		{STR_INIT("-1 "),                   STR_INIT(""), 0, false, false},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct str s = exact(rows[i].text), rest = s, again = s;
		uint64_t u64 = 99;
		uint32_t u32 = 99;

		print_message("# word \"" STR_FMT "\"\n", STR_ARG(s));
		assert_int_equal(str_word_u64(&rest, &u64), rows[i].is);
		assert_int_equal(u64, rows[i].is ? rows[i].value : 99);
		assert_int_equal(str_word_u32(&again, &u32), rows[i].fits);
		assert_int_equal(u32, rows[i].fits ? rows[i].value : 99);
		if (rows[i].is)
			assert_true(str_eq(rest, rows[i].rest));
		drop(s);
	}
}

/* as_one_digit_after_the_other - what str_word_u64() should say */
static bool as_one_digit_after_the_other(struct str s, uint64_t *out, size_t *taken)
{
	size_t n = 0;

	for (*out = 0; n < s.n && s.p[n] != ' '; n++) {
		if (s.p[n] < '0' || s.p[n] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(s.p[n] - '0');
	}
	*taken = n < s.n ? n + 1 : n;
	return n > 0;
}

/* every octet at every place of a number, with as much behind it as there may be */
static void a_number_is_read_at_once(void **state UNUSED)
{
	static const char text[] = "905172634881930 17 x";

	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < sizeof text - 1; at++)
			for (size_t n = at + 1; n < sizeof text; n++) {
				uint64_t want, got;
				struct str s, rest;
				size_t taken;
				char changed[sizeof text];
				bool is;

				memcpy(changed, text, sizeof text);
				changed[at] = (char)c;
				s = rest = exact((struct str){changed, n});
				is = as_one_digit_after_the_other(s, &want, &taken);
				assert_int_equal(str_word_u64(&rest, &got), is);
				if (is) {
					assert_true(got == want);
					assert_ptr_equal(rest.p, s.p + taken);
					assert_int_equal(rest.n, s.n - taken);
				}
				drop(s);
			}
}

static void a_checksum_is_written_in_one_way(void **state UNUSED)
{
	uint64_t sum = 99;

	assert_true(str_sum64(STR("49da3173b6a43f36"), &sum));
	assert_true(sum == UINT64_C(0x49da3173b6a43f36));
	/* every digit at every place, the way back */
	for (unsigned digit = 0; digit < 16; digit++)
		for (unsigned at = 0; at < 16; at++) {
			char text[16], by_libc[17];

			sum = UINT64_C(0x49da3173b6a43f36);
			sum = (sum & ~(UINT64_C(15) << at * 4)) | (uint64_t)digit
									  << at * 4;
			snprintf(by_libc, sizeof by_libc, "%016llx",
				 (unsigned long long)sum);
			str_print_sum64(sum, text);
			assert_memory_equal(text, by_libc, sizeof text);
		}
	assert_false(str_sum64(STR("49Da3173b6a43f36"), &sum));
	assert_false(str_sum64(STR("49da3173b6a43f3F"), &sum));
	assert_false(str_sum64(STR("49da3173b6a43f3@"), &sum));
	assert_false(str_sum64(STR("49da3173b6a43f3"), &sum));
	assert_false(str_sum64(STR("49da3173b6a43f366"), &sum));
	/* every octet at every place */
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 16; at++) {
			char text[] = "0f123456789abcde", *end;

			text[at] = (char)c;

			bool digit = c != 0 && strchr("0123456789abcdef", c) != NULL;

			sum = 99;
			assert_int_equal(str_sum64((struct str){text, 16}, &sum), digit);
			assert_true(sum == (digit ? strtoull(text, &end, 16) : 99));
		}
	}
}

static void utf8_is_well_formed_or_not(void **state UNUSED)
{
	static const struct {
		const char *name;
		struct str s;
		bool ok;
	} rows[] = {
		/* clang-format off */
		{"empty",                  STR_INIT(""),                 true},
		{"ASCII",                  STR_INIT("az\x7f"),           true},
		{"NUL is a character",     STR_INIT("a\0b"),             true},
		{"first of two octets",    STR_INIT("\xc2\x80"),         true},
		{"last of two octets",     STR_INIT("\xdf\xbf"),         true},
		{"first of three",         STR_INIT("\xe0\xa0\x80"),     true},
		{"before the surrogates",  STR_INIT("\xed\x9f\xbf"),     true},
		{"after the surrogates",   STR_INIT("\xee\x80\x80"),     true},
		{"last of three",          STR_INIT("\xef\xbf\xbf"),     true},
		{"first of four",          STR_INIT("\xf0\x90\x80\x80"), true},
		{"U+10FFFF",               STR_INIT("\xf4\x8f\xbf\xbf"), true},
		{"one after another",      STR_INIT("\xc3\xa4\xe2\x82\xac!"), true},
		{"continuation alone",     STR_INIT("\x80"),             false},
		{"overlong slash",         STR_INIT("\xc0\xaf"),         false},
		{"overlong, C1",           STR_INIT("\xc1\xbf"),         false},
		{"overlong in three",      STR_INIT("\xe0\x9f\xbf"),     false},
		{"overlong in four",       STR_INIT("\xf0\x8f\xbf\xbf"), false},
		{"low surrogate",          STR_INIT("\xed\xa0\x80"),     false},
		{"high surrogate",         STR_INIT("\xed\xbf\xbf"),     false},
		{"beyond U+10FFFF",        STR_INIT("\xf4\x90\x80\x80"), false},
		{"F5",                     STR_INIT("\xf5\x80\x80\x80"), false},
		{"FF",                     STR_INIT("\xff"),             false},
		{"cut after one of two",   STR_INIT("a\xc3"),            false},
		{"cut after two of three", STR_INIT("\xe2\x82"),         false},
		{"cut after three of four", STR_INIT("\xf0\x90\x80"),    false},
		{"third octet is wrong",   STR_INIT("\xe2\x82\x41"),     false},
		{"fourth octet is wrong",  STR_INIT("\xf0\x90\x80\xc0"), false},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct str s = exact(rows[i].s);

		print_message("# %s\n", rows[i].name);
		assert_int_equal(str_is_utf8(s), rows[i].ok);
		drop(s);
	}
}

static void control_octets_are_c0_and_del(void **state UNUSED)
{
	for (int c = 0; c < 256; c++) {
		const char octets[] = {'a', (char)c, 'z'};

		for (size_t at = 0; at < 2; at++) {
			struct str s = exact((struct str){octets + at, 3 - at});

			assert_int_equal(str_has_control(s), c < 0x20 || c == 0x7f);
			drop(s);
		}
	}
	assert_false(str_has_control(STR("")));
}

static void globs(void **state UNUSED)
{
	static const struct {
		struct str pattern, s;
		bool match;
	} rows[] = {
		/* clang-format off */
		{STR_INIT(""),         STR_INIT(""),          true},
		{STR_INIT(""),         STR_INIT("a"),         false},
		{STR_INIT("*"),        STR_INIT(""),          true},
		{STR_INIT("*"),        STR_INIT("alice"),     true},
		{STR_INIT("***"),      STR_INIT("a"),         true},
		{STR_INIT("?"),        STR_INIT(""),          false},
		{STR_INIT("?"),        STR_INIT("a"),         true},
		{STR_INIT("?*"),       STR_INIT(""),          false},
		{STR_INIT("*?"),       STR_INIT("ab"),        true},
		{STR_INIT("a*"),       STR_INIT("ALICE"),     true},
		{STR_INIT("A*e"),      STR_INIT("alice"),     true},
		{STR_INIT("a*e"),      STR_INIT("alices"),    false},
		{STR_INIT("*@b.org"),  STR_INIT("a@b.org"),   true},
		{STR_INIT("*@b.org"),  STR_INIT("a@bb.org"),  false},
		{STR_INIT("*a*a*"),    STR_INIT("bab"),       false},
		{STR_INIT("*a*a*"),    STR_INIT("baba"),      true},
		{STR_INIT("*ab"),      STR_INIT("aab"),       true},
		{STR_INIT("*aab"),     STR_INIT("aaab"),      true},
		{STR_INIT("a"),        STR_INIT("ab"),        false},
		{STR_INIT("ab"),       STR_INIT("a"),         false},
		{STR_INIT("[a]"),      STR_INIT("a"),         false}, /* no classes */
		{STR_INIT("\\*"),      STR_INIT("*"),         false}, /* no escapes */
		{STR_INIT("*"),        STR_INIT("\0\xff"),    true},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct str p = exact(rows[i].pattern), s = exact(rows[i].s);

		print_message("# %.*s\n", STR_ARG(p));
		assert_int_equal(str_glob(p, s), rows[i].match);
		drop(p);
		drop(s);
	}
}

/* A pattern of a stranger must not take exponential time: this one would not end. */
static void a_glob_does_not_explode(void **state UNUSED)
{
	char s[2000], p[64];

	memset(s, 'a', sizeof s);
	for (size_t i = 0; i < sizeof p - 1; i += 2)
		memcpy(p + i, "*a", 2);
	p[sizeof p - 1] = 'b';
	assert_false(str_glob((struct str){p, sizeof p}, (struct str){s, sizeof s}));
}

static void ascii_is_ascii(void **state UNUSED)
{
	for (int c = 0; c < 256; c++) {
		bool upper = c >= 'A' && c <= 'Z';

		assert_int_equal((unsigned char)ascii_lower((char)c), upper ? c + 32 : c);
		assert_int_equal(ascii_is_print((char)c), c >= 32 && c < 127);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_octets),
		cmocka_unit_test(knows_both_ends),
		cmocka_unit_test(trims_blanks_only),
		cmocka_unit_test(cuts_at_one_separator),
		cmocka_unit_test(numbers_at_their_limits),
		cmocka_unit_test(numbers_are_taken_word_by_word),
		cmocka_unit_test(a_number_is_read_at_once),
		cmocka_unit_test(a_checksum_is_written_in_one_way),
		cmocka_unit_test(utf8_is_well_formed_or_not),
		cmocka_unit_test(control_octets_are_c0_and_del),
		cmocka_unit_test(globs),
		cmocka_unit_test(a_glob_does_not_explode),
		cmocka_unit_test(ascii_is_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
