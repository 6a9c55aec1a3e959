/* SPDX-License-Identifier: ISC */
#include "mail/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
#define X4(s)  s s s s
#define X16(s) X4(X4(s))
#define L255   X16("abcdefghijklmno") "abcdefghijklmno"
#define D255   X16("abcdefghijklmn.") "abcdefghijkl.xy"

static const struct {
	const char *name, *in;
	bool utf8;
	enum address_result want;
	const char *local, *domain;
	const char *print; /* NULL: as it came */
} cases[] = {
	{"plain",                    "alice@example.org",            false, ADDRESS_OK, "alice", "example.org", NULL},
	{"null sender",              "",                             false, ADDRESS_NULL, "", "", ""},
	{"no domain",                "postmaster",                   false, ADDRESS_OK, "postmaster", "", NULL},
	{"domain folded, local not", "Alice@EXAMPLE.Org",            false, ADDRESS_OK, "Alice", "example.org", "Alice@example.org"},
	{"subaddress",               "alice+a/b=c@example.org",      false, ADDRESS_OK, "alice+a/b=c", "example.org", NULL},
	{"all of atext",             "!#$%&'*+-/=?^_`{|}~@d",        false, ADDRESS_OK, "!#$%&'*+-/=?^_`{|}~", "d", NULL},
	{"percent is no routing",    "a%b@d",                        false, ADDRESS_OK, "a%b", "d", NULL},
	{"final dot of the domain",  "alice@example.org.",           false, ADDRESS_OK, "alice", "example.org", "alice@example.org"},
	{"underscore in the domain", "a@b_c.d",                      false, ADDRESS_OK, "a", "b_c.d", NULL},
	{"dots in a row",            "a..b@d",                       false, ADDRESS_OK, "a..b", "d", "\"a..b\"@d"},
	{"dot first",                ".a@d",                         false, ADDRESS_OK, ".a", "d", "\".a\"@d"},
	{"dot last",                 "a.@d",                         false, ADDRESS_OK, "a.", "d", "\"a.\"@d"},

	{"quoted for no reason",     "\"alice\"@d",                  false, ADDRESS_OK, "alice", "d", "alice@d"},
	{"quoted pair, no reason",   "\"a\\b\"@d",                   false, ADDRESS_OK, "ab", "d", "ab@d"},
	{"quoted space",             "\"a b\"@d",                    false, ADDRESS_OK, "a b", "d", NULL},
	{"quoted at sign",           "\"a@b\"@d",                    false, ADDRESS_OK, "a@b", "d", NULL},
	{"quoted quote",             "\"a\\\"b\"@d",                 false, ADDRESS_OK, "a\"b", "d", NULL},
	{"quoted backslash",         "\"a\\\\\"@d",                  false, ADDRESS_OK, "a\\", "d", NULL},
	{"quoted angle bracket",     "\"a>b\"@d",                    false, ADDRESS_OK, "a>b", "d", NULL},
	{"quoted, no domain",        "\"a b\"",                      false, ADDRESS_OK, "a b", "", NULL},
	{"a path in quotes is data", "\"../../x\"@d",                false, ADDRESS_OK, "../../x", "d", NULL},
	{"a command in quotes too",  "\"root+:|touch x\"@d",         false, ADDRESS_OK, "root+:|touch x", "d", NULL},

	{"source route of one",      "@a:c@d",                       false, ADDRESS_OK, "c", "d", "c@d"},
	{"source route of two",      "@a,@b.example:c@d",            false, ADDRESS_OK, "c", "d", "c@d"},
	{"route with a literal",     "@[192.0.2.1]:c@d",             false, ADDRESS_OK, "c", "d", "c@d"},
	{"route, no domain",         "@a:c",                         false, ADDRESS_OK, "c", "", "c"},
	{"route to nobody",          "@a:",                          false, ADDRESS_BAD, "", "", ""},
	{"route without a colon",    "@a,@b",                        false, ADDRESS_BAD, "", "", ""},
	{"route with a hole",        "@a,,@b:c@d",                   false, ADDRESS_BAD, "", "", ""},
	{"route of nothing",         "@:c@d",                        false, ADDRESS_BAD, "", "", ""},
	{"two routes",               "@a:@b:c@d",                    false, ADDRESS_BAD, "", "", ""},

	{"literal",                  "a@[192.0.2.1]",                false, ADDRESS_OK, "a", "[192.0.2.1]", NULL},
	{"IPv6 literal",             "a@[IPv6:2001:DB8::1]",         false, ADDRESS_OK, "a", "[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]"},
	{"empty literal",            "a@[]",                         false, ADDRESS_BAD, "", "", ""},
	{"literal not closed",       "a@[192.0.2.1",                 false, ADDRESS_BAD, "", "", ""},
	{"literal and more",         "a@[192.0.2.1]x",               false, ADDRESS_BAD, "", "", ""},
	{"bracket in a literal",     "a@[>]",                        false, ADDRESS_BAD, "", "", ""},

	{"empty local",              "@d",                           false, ADDRESS_BAD, "", "", ""},
	{"empty quoted local",       "\"\"@d",                       false, ADDRESS_BAD, "", "", ""},
	{"only empty quotes",        "\"\"",                         false, ADDRESS_BAD, "", "", ""},
	{"empty domain",             "a@",                           false, ADDRESS_BAD, "", "", ""},
	{"two at signs",             "a@b@c",                        false, ADDRESS_BAD, "", "", ""},
	{"only an at sign",          "@",                            false, ADDRESS_BAD, "", "", ""},
	{"space",                    "a b@d",                        false, ADDRESS_BAD, "", "", ""},
	{"space first",              " a@d",                         false, ADDRESS_BAD, "", "", ""},
	{"space last",               "a@d ",                         false, ADDRESS_BAD, "", "", ""},
	{"quote not closed",         "\"a@d",                        false, ADDRESS_BAD, "", "", ""},
	{"quote closed by a pair",   "\"a\\\"@d",                    false, ADDRESS_BAD, "", "", ""},
	{"ends in a backslash",      "\"a\\",                        false, ADDRESS_BAD, "", "", ""},
	{"quote not opened",         "a\"@d",                        false, ADDRESS_BAD, "", "", ""},
	{"text after the quote",     "\"a\"b@d",                     false, ADDRESS_BAD, "", "", ""},
	{"half quoted",              "\"a\".b@d",                    false, ADDRESS_BAD, "", "", ""},
	{"backslash outside quotes", "a\\b@d",                       false, ADDRESS_BAD, "", "", ""},
	{"angle brackets",           "<a@d>",                        false, ADDRESS_BAD, "", "", ""},
	{"comment",                  "a(b)@d",                       false, ADDRESS_BAD, "", "", ""},
	{"list",                     "a@d,b@d",                      false, ADDRESS_BAD, "", "", ""},
	{"domain of dots",           "a@.",                          false, ADDRESS_BAD, "", "", ""},
	{"domain with a hole",       "a@b..c",                       false, ADDRESS_BAD, "", "", ""},
	{"domain with two end dots", "a@b..",                        false, ADDRESS_BAD, "", "", ""},
	{"domain starts with a dot", "a@.b",                         false, ADDRESS_BAD, "", "", ""},
	{"slash in the domain",      "a@../x",                       false, ADDRESS_BAD, "", "", ""},
	{"shell in the address",     ";sleep 66;",                   false, ADDRESS_BAD, "", "", ""},
	{"shell in the local part",  "root+:\"|touch /tmp/x\"",      false, ADDRESS_BAD, "", "", ""},
	{"shell substitution",       "$(id)@d",                      false, ADDRESS_BAD, "", "", ""},
	{"CR",                       "\"a\rb\"@d",                   true,  ADDRESS_BAD, "", "", ""},
	{"LF",                       "\"a\nb\"@d",                   true,  ADDRESS_BAD, "", "", ""},
	{"quoted pair of CR LF",     "\"a\\\r\\\nBcc: x\"@d",        true,  ADDRESS_BAD, "", "", ""},
	{"HT",                       "\"a\tb\"@d",                   true,  ADDRESS_BAD, "", "", ""},
	{"DEL",                      "\"a\x7f\"@d",                  true,  ADDRESS_BAD, "", "", ""},
	{"ESC",                      "\"\x1b]0;x\"@d",               true,  ADDRESS_BAD, "", "", ""},
	{"C1: next line",            "\"a\xc2\x85\"@d",              true,  ADDRESS_BAD, "", "", ""},
	{"C1: terminal command",     "\"a\xc2\x9b\"@d",              true,  ADDRESS_BAD, "", "", ""},

	{"UTF-8 local",              "\xc3\xa4\xc2\xa0@d",           true,  ADDRESS_OK, "\xc3\xa4\xc2\xa0", "d", NULL},
	{"UTF-8 domain",             "a@b\xc3\xbc""cher.d",          true,  ADDRESS_OK, "a", "b\xc3\xbc""cher.d", NULL},
	{"UTF-8 quoted",             "\"\xc3\xa4 \\\xc3\xb6\"@d",    true,  ADDRESS_OK, "\xc3\xa4 \xc3\xb6", "d", "\"\xc3\xa4 \xc3\xb6\"@d"},
	{"UTF-8 not allowed",        "\xc3\xa4@d",                   false, ADDRESS_NEEDS_UTF8, "", "", ""},
	{"UTF-8 domain, not allowed", "a@\xc3\xbc.d",                false, ADDRESS_NEEDS_UTF8, "", "", ""},
	{"UTF-8 cut short",          "\xc3@d",                       true,  ADDRESS_BAD, "", "", ""},
	{"UTF-8 cut short at the end", "a@d\xe2\x82",                true,  ADDRESS_BAD, "", "", ""},
	{"Latin-1",                  "\xe4@d",                       true,  ADDRESS_BAD, "", "", ""},
	{"Latin-1, UTF-8 not allowed", "\xe4@d",                     false, ADDRESS_BAD, "", "", ""},
	{"overlong slash",           "\xc0\xaf@d",                   true,  ADDRESS_BAD, "", "", ""},
	{"surrogate",                "\xed\xa0\x80@d",               true,  ADDRESS_BAD, "", "", ""},
	{"UTF-8 in a literal",       "a@[\xc3\xa4]",                 true,  ADDRESS_BAD, "", "", ""},

	{"local of 255",             L255 "@d",                      false, ADDRESS_OK, L255, "d", NULL},
	{"local of 256",             L255 "e@d",                     false, ADDRESS_TOO_LONG, "", "", ""},
	{"quotes do not count",      "\"" L255 "\"@d",               false, ADDRESS_OK, L255, "d", L255 "@d"},
	{"quoted of 256",            "\"" L255 "e\"@d",              false, ADDRESS_TOO_LONG, "", "", ""},
	{"domain of 255",            "a@" D255,                      false, ADDRESS_OK, "a", D255, NULL},
	{"255 and the final dot",    "a@" D255 ".",                  false, ADDRESS_OK, "a", D255, "a@" D255},
	{"domain of 256",            "a@" D255 "z",                  false, ADDRESS_TOO_LONG, "", "", ""},
	{"literal too long",         "a@[" X16(X16("1")) "]",        false, ADDRESS_TOO_LONG, "", "", ""},
	{"4 KB of local part",       X16(L255) "@d",                 false, ADDRESS_TOO_LONG, "", "", ""},
	{"long route, short address", "@" X16(L255) ":a@d",          false, ADDRESS_OK, "a", "d", "a@d"},
	{"long and bad is bad",      X16(L255) "@d d",               false, ADDRESS_BAD, "", "", ""},
};

static const struct {
	const char *name, *in;
	enum address_result want;
	const char *local, *domain;
} plain_cases[] = {
	{"plain",                   "alice@example.org",  ADDRESS_OK, "alice", "example.org"},
	{"space needs no quotes",   "a b@d",              ADDRESS_OK, "a b", "d"},
	{"quotes are data",         "\"a\"@d",            ADDRESS_OK, "\"a\"", "d"},
	{"backslash is data",       "a\\b@d",             ADDRESS_OK, "a\\b", "d"},
	{"the last at sign counts", "a@b@d",              ADDRESS_OK, "a@b", "d"},
	{"source route",            "@a,@b:c@d",          ADDRESS_OK, "c", "d"},
	{"not quite a route",       "@a@d",               ADDRESS_OK, "@a", "d"},
	{"no domain",               "a b",                ADDRESS_OK, "a b", ""},
	{"literal",                 "a@[192.0.2.1]",      ADDRESS_OK, "a", "[192.0.2.1]"},
	{"empty",                   "",                   ADDRESS_NULL, "", ""},
	{"empty local",             "@d",                 ADDRESS_BAD, "", ""},
	{"route to nobody",         "@a:",                ADDRESS_BAD, "", ""},
	{"empty domain",            "a@",                 ADDRESS_BAD, "", ""},
	{"bad domain",              "a@b c",              ADDRESS_BAD, "", ""},
	{"line end",                "a\nb@d",             ADDRESS_BAD, "", ""},
	{"UTF-8",                   "\xc3\xa4@d",         ADDRESS_OK, "\xc3\xa4", "d"},
	{"too long",                L255 "e@d",            ADDRESS_TOO_LONG, "", ""},
};

static const struct {
	const char *name, *in;
	bool want;
	const char *path, *rest;
} path_cases[] = {
	{"alone",               "<a@d>",                true,  "a@d", ""},
	{"null",                "<>",                   true,  "", ""},
	{"with parameters",     "<a@d> SIZE=1",         true,  "a@d", " SIZE=1"},
	{"quoted bracket",      "<\"a>b\"@c> X",        true,  "\"a>b\"@c", " X"},
	{"escaped quote",       "<\"a\\\">\"@c>",       true,  "\"a\\\">\"@c", ""},
	{"backslash, no quotes", "<a\\>",               true,  "a\\", ""},
	{"two paths",           "<a><b>",               true,  "a", "<b>"},
	{"not at the front",    " <a>",                 false, "", " <a>"},
	{"no bracket",          "a@d",                  false, "", "a@d"},
	{"not closed",          "<a@d",                 false, "", "<a@d"},
	{"closed in quotes",    "<\"a@d>",              false, "", "<\"a@d>"},
	{"quotes end escaped",  "<\"a\\\">",            false, "", "<\"a\\\">"},
	{"ends in a backslash", "<\"\\",                false, "", "<\"\\"},
	{"nothing",             "",                     false, "", ""},
};
/* clang-format on */

static void addresses_are_taken_apart_and_written_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct address a;
		struct buf out;

		printf("# %s\n", cases[i].name);
		memset(&a, 'x', sizeof a);
		assert_int_equal(address_parse(str_of(cases[i].in), cases[i].utf8, &a),
				 cases[i].want);
		assert_string_equal(a.local, cases[i].local);
		assert_string_equal(a.domain, cases[i].domain);
		buf_init(&out, 1024);
		address_print(&out, &a);
		assert_string_equal(buf_cstr(&out),
				    cases[i].print ? cases[i].print : cases[i].in);
		buf_fini(&out);
	}
}

static void plain_addresses_have_no_quotes(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(plain_cases); i++) {
		struct address a;

		printf("# %s\n", plain_cases[i].name);
		memset(&a, 'x', sizeof a);
		assert_int_equal(address_parse_plain(str_of(plain_cases[i].in), true, &a),
				 plain_cases[i].want);
		assert_string_equal(a.local, plain_cases[i].local);
		assert_string_equal(a.domain, plain_cases[i].domain);
	}
}

/* with_octet - `s` with one octet more in front of position `at` */
static struct str with_octet(char room[16], struct str s, size_t at, int c)
{
	memcpy(room, s.p, at);
	room[at] = (char)c;
	memcpy(room + at + 1, s.p + at, s.n - at);
	return (struct str){room, s.n + 1};
}

static void control_octet_is_refused_everywhere(int c)
{
	static const char *const shapes[] = {"a@d", "\"ab\"@d", "@a:b@d", "a@[1]"};
	struct address a;
	char room[16];

	for (size_t k = 0; k < countof(shapes); k++) {
		struct str s = str_of(shapes[k]);

		for (size_t at = 0; at <= s.n; at++) {
			struct str in = with_octet(room, s, at, c);

			assert_int_equal(address_parse(in, true, &a), ADDRESS_BAD);
			assert_int_equal(address_parse_plain(in, true, &a), ADDRESS_BAD);
		}
	}
}

static void every_control_octet_is_refused_everywhere(void **state)
{
	(void)state;
	for (int c = 0; c < 0x20; c++)
		control_octet_is_refused_everywhere(c);
	control_octet_is_refused_everywhere(0x7f);
}

static void paths_end_at_the_bracket_outside_quotes(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(path_cases); i++) {
		struct str rest = str_of(path_cases[i].in), path = {"", 0};

		printf("# %s\n", path_cases[i].name);
		assert_int_equal(address_path(&rest, &path), path_cases[i].want);
		assert_true(str_eq(path, str_of(path_cases[i].path)));
		assert_true(str_eq(rest, str_of(path_cases[i].rest)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_taken_apart_and_written_again),
		cmocka_unit_test(plain_addresses_have_no_quotes),
		cmocka_unit_test(every_control_octet_is_refused_everywhere),
		cmocka_unit_test(paths_end_at_the_bracket_outside_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
