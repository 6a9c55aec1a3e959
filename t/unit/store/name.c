/* SPDX-License-Identifier: ISC */
#include "store/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define E10 "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
#define E60 E10 E10 E10 E10 E10 E10

static struct settings *settings(const char *store)
{
	struct settings *set;
	struct err e = {0};
	char conf[256];

	snprintf(conf, sizeof conf, "store { %s }\n", store);
	if (settings_parse("unit.conf", str_of(conf), &set, &e) < 0)
		fail_msg("%s", e.text);
	return set;
}

static const struct {
	const char *store; /* of the configuration */
	struct str local, domain;
	const char *name;  /* NULL: refused */
	const char *error; /* a part of it */
} rows[] = {
	/* clang-format off */
	{"", STR_INIT("alice"),        STR_INIT("example.org"), "alice@example.org", NULL},
	{"", STR_INIT("ALICE"),        STR_INIT("Example.ORG"), "alice@example.org", NULL},
	{"", STR_INIT("a.-_+=~'&9"),   STR_INIT("example.org"), "a.-_+=~'&9@example.org", NULL},
	{"", STR_INIT(".."),           STR_INIT("example.org"), "..@example.org", NULL},
	{"", STR_INIT("a"),            STR_INIT("localhost"),   "a@localhost", NULL},
	{"", STR_INIT("a"),            STR_INIT("1.2"),         "a@1.2", NULL},
	{"", STR_INIT("a"),            STR_INIT("_x.b-c.d"),    "a@_x.b-c.d", NULL},
	{"", STR_INIT("a"),            STR_INIT("b\xc3\xbc" "cher.example"), "a@b\xc3\xbc" "cher.example", NULL},
	{"", STR_INIT(X60 "xxxx"),     STR_INIT("d"),           X60 "xxxx@d", NULL},
	{"", STR_INIT(X60 "xxxxx"),    STR_INIT("d"),           NULL, "longer than 64 octets"},
	{"", STR_INIT(""),             STR_INIT("d"),           NULL, "is empty"},
	{"", STR_INIT("a"),            STR_INIT(""),            NULL, "domain is missing"},
	{"", STR_INIT("a b"),          STR_INIT("d"),           NULL, "octet 0x20"},
	{"", STR_INIT("a/b"),          STR_INIT("d"),           NULL, "octet 0x2f"},
	{"", STR_INIT("a@b"),          STR_INIT("d"),           NULL, "octet 0x40"},
	{"", STR_INIT("a\"b"),         STR_INIT("d"),           NULL, "octet 0x22"},
	{"", STR_INIT("a\\b"),         STR_INIT("d"),           NULL, "octet 0x5c"},
	{"", STR_INIT("a\0b"),         STR_INIT("d"),           NULL, "octet 0x00"},
	{"", STR_INIT("a\n"),          STR_INIT("d"),           NULL, "octet 0x0a"},
	{"", STR_INIT("a\x7f"),        STR_INIT("d"),           NULL, "octet 0x7f"},
	{"", STR_INIT("a%b"),          STR_INIT("d"),           NULL, "octet 0x25"},
	{"", STR_INIT("a*"),           STR_INIT("d"),           NULL, "octet 0x2a"},
	{"", STR_INIT("\xc3\xa9"),     STR_INIT("d"),           NULL, "octet 0xc3"},
	{"", STR_INIT("a"),            STR_INIT("d."),          NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT(".d"),          NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("d..e"),        NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("-d"),          NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("d-.e"),        NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT(".."),          NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("d/e"),         NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("d e"),         NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("d\0e"),        NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("[192.0.2.1]"), NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT("\xff.d"),      NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT(X60 "xxx.d"),   "a@" X60 "xxx.d", NULL},
	{"", STR_INIT("a"),            STR_INIT(X60 "xxxx.d"),  NULL, "not well formed"},
	{"", STR_INIT("a"),            STR_INIT(X60 "." X60 "." X60 ".xxxxxxx"),
	 "a@" X60 "." X60 "." X60 ".xxxxxxx", NULL},
	{"", STR_INIT("a"),            STR_INIT(X60 "." X60 "." X60 ".xxxxxxxx"), NULL, "longer than 190 octets"},

	{"name_charset = \"%!\"",  STR_INIT("a%!"),   STR_INIT("d"), "a%!@d", NULL},
	{"name_charset = \"%!\"",  STR_INIT("a.b"),   STR_INIT("d"), NULL, "octet 0x2e"},
	{"name_charset = \"\"",    STR_INIT("a-b"),   STR_INIT("d"), NULL, "octet 0x2d"},
	{"name_charset = \"\"",    STR_INIT("abc"),   STR_INIT("d"), "abc@d", NULL},
	/* encoded: 3 * 64 + 1 + 62 is a file name, one more is none */
	{"name_charset = \"%\"",   STR_INIT("%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"),
	 STR_INIT(X60 ".x"),
	 "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%@" X60 ".x", NULL},
	{"name_charset = \"%\"",   STR_INIT("%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"),
	 STR_INIT(X60 ".xx"), NULL, "too long for a file name"},

	{"utf8_names = yes", STR_INIT("\xc3\xa9t\xc3\xa9"), STR_INIT("d"), "\xc3\xa9t\xc3\xa9@d", NULL},
	{"utf8_names = yes", STR_INIT("\xc3\x89"),    STR_INIT("d"), "\xc3\x89@d", NULL}, /* only ASCII is folded */
	{"utf8_names = yes", STR_INIT(E60 "xxxx"),    STR_INIT("d"), E60 "xxxx@d", NULL},
	{"utf8_names = yes", STR_INIT(E60 "xxxxx"),   STR_INIT("d"), NULL, "longer than 64 octets"},
	{"utf8_names = yes", STR_INIT("\xe9"),        STR_INIT("d"), NULL, "not well-formed UTF-8"},
	{"utf8_names = yes", STR_INIT("\xc0\xaf"),    STR_INIT("d"), NULL, "not well-formed UTF-8"}, /* an overlong '/' */
	/* clang-format on */
};

static void folds_and_checks(void **state UNUSED)
{
	for (size_t i = 0; i < countof(rows); i++) {
		struct settings *set = settings(rows[i].store);
		struct name n;
		struct err e = {0};
		int rc = name_of(set, rows[i].local, rows[i].domain, &n, &e);

		if (rc == 0 && rows[i].name != NULL) {
			assert_string_equal(n.s, rows[i].name);
		} else {
			assert_null(rows[i].name);
			assert_int_equal(rc, -1);
			assert_int_equal(e.class, ERR_PERM);
			assert_string_equal(e.dsn, "5.1.3");
			assert_non_null(strstr(e.text, rows[i].error));
			assert_string_equal(n.s, "");
		}
		settings_free(&set);
	}
}

static void the_last_at_divides_what_is_typed(void **state UNUSED)
{
	struct settings *set = settings("");
	struct name n;
	struct err e;

	assert_int_equal(name_parse(set, STR("Alice@Example.org"), &n, &e), 0);
	assert_string_equal(n.s, "alice@example.org");
	assert_true(str_eq(name_local(&n), STR("alice")));
	assert_true(str_eq(name_domain_of(&n), STR("example.org")));
	assert_int_equal(name_parse(set, STR("alice"), &n, &e), -1);
	assert_int_equal(name_parse(set, STR(""), &n, &e), -1);
	assert_int_equal(name_parse(set, STR("@"), &n, &e), -1);
	assert_int_equal(name_parse(set, STR("a@b@c"), &n, &e), -1);
	assert_int_equal(name_domain(STR("Example.ORG"), &n, &e), 0);
	assert_string_equal(n.s, "example.org");
	assert_true(str_eq(name_domain_of(&n), STR("example.org")));
	settings_free(&set);
}

/* doc/STORE.md has these */
static const struct {
	const char *tree, *name, *leaf, *path;
} places[] = {
	/* clang-format off */
	{"accounts",    "alice@example.org", "profile", "accounts/58/1b/alice@example.org/profile"},
	{"accounts",    "alice@example.org", NULL,      "accounts/58/1b/alice@example.org"},
	{"domains",     "example.org",       NULL,      "domains/40/37/example.org"},
	{"forwardings", ".o'hara@example.org", NULL,    "forwardings/ea/d5/%2eo%27hara@example.org"},
	{"accounts",    "..@d",              NULL,      "accounts/5e/58/%2e.@d"},
	/* clang-format on */
};

static void places_are_those_of_the_document(void **state UNUSED)
{
	for (size_t i = 0; i < countof(places); i++) {
		struct place place;
		struct name n;

		assert_true(name_read(str_of(places[i].name), &n));
		name_place(places[i].tree, &n, places[i].leaf, &place);
		assert_string_equal(place.path, places[i].path);
	}
}

static void a_component_gives_its_name_back(void **state UNUSED)
{
	static const struct {
		const char *component, *name; /* NULL: none of ours */
	} cases[] = {
		/* clang-format off */
		{"alice@example.org",  "alice@example.org"},
		{"%2ea@d",             ".a@d"},
		{"a%25%2f@d",          "a%/@d"},
		{"\xc3\xa9@d",         "\xc3\xa9@d"},
		{"",                   NULL},
		{".a@d",               NULL},
		{"a%2e@d",             NULL}, /* only a leading dot is encoded */
		{"a%2F@d",             NULL},
		{"%61@d",              NULL},
		{"%41@d",              NULL}, /* names are folded */
		{"A@d",                NULL},
		{"a%@d",               NULL},
		{"a%4",                NULL},
		{"a%00b@d",            NULL},
		{"a b@d",              NULL},
		{"a'b@d",              NULL},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct name n;
		bool ok = name_from_component(str_of(cases[i].component), &n);

		assert_int_equal(ok, cases[i].name != NULL);
		if (ok)
			assert_string_equal(n.s, cases[i].name);
	}
}

static void reads_whatever_can_have_a_place(void **state UNUSED)
{
	char longest[NAME_OCTETS + 2];
	struct place place;
	struct name n;

	memset(longest, 'x', sizeof longest);
	assert_true(name_read((struct str){longest, NAME_OCTETS}, &n));
	name_place("forwardings", &n, "leaf", &place);
	assert_false(name_read((struct str){longest, NAME_OCTETS + 1}, &n));
	memset(longest, '%', sizeof longest); /* three octets each */
	assert_true(name_read((struct str){longest, 85}, &n));
	name_place("forwardings", &n, "leaf", &place);
	assert_false(name_read((struct str){longest, 86}, &n));
	assert_false(name_read(STR(""), &n));
	assert_false(name_read(STR("a\0b"), &n));
	assert_true(name_read(STR("../../ETC"), &n));
	assert_string_equal(n.s, "../../etc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds_and_checks),
		cmocka_unit_test(the_last_at_divides_what_is_typed),
		cmocka_unit_test(places_are_those_of_the_document),
		cmocka_unit_test(a_component_gives_its_name_back),
		cmocka_unit_test(reads_whatever_can_have_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
