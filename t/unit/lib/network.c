/* SPDX-License-Identifier: ISC */
#include "lib/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void a_network_has_its_addresses(void **state UNUSED)
{
	static const struct {
		const char *network, *address;
		bool has;
	} rows[] = {
		/* clang-format off */
		{"192.0.2.7",          "192.0.2.7",         true},
		{"192.0.2.7",          "192.0.2.6",         false},
		{"192.0.2.0/24",       "192.0.2.255",       true},
		{"192.0.2.0/24",       "192.0.3.0",         false},
		{"192.0.2.8/29",       "192.0.2.15",        true},
		{"192.0.2.8/29",       "192.0.2.16",        false},
		{"192.0.2.8/29",       "192.0.2.7",         false},
		{"10.0.0.0/8",         "10.255.0.1",        true},
		{"10.0.0.0/8",         "::ffff:10.255.0.1", true},
		{"10.0.0.0/8",         "2001:db8::1",       false},
		{"0.0.0.0/0",          "255.255.255.255",   true},
		{"0.0.0.0/0",          "::1",               false},
		{"::ffff:10.0.0.0/104", "10.1.2.3",         true},
		{"2001:db8::/32",      "2001:db8:ffff::1",  true},
		{"2001:db8::/32",      "2001:db9::1",       false},
		{"2001:db8::/33",      "2001:db8:7fff::",   true},
		{"2001:db8::/33",      "2001:db8:8000::",   false},
		{"::1",                "::1",               true},
		{"::1",                "::2",               false},
		{"::/0",               "2001:db8::1",       true},
		{"2001:DB8::A/128",    "2001:db8::a",       true},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct network_address a;
		struct network n;

		assert_null(network_wrong(str_of(rows[i].network)));
		assert_true(network_parse(str_of(rows[i].network), &n));
		assert_true(network_parse_address(str_of(rows[i].address), &a));
		if (network_has(&n, &a) != rows[i].has)
			fail_msg("%s in %s", rows[i].address, rows[i].network);
	}
}

static void what_is_no_network_is_told(void **state UNUSED)
{
	static const struct str rows[] = {
		STR_INIT(""),
		STR_INIT("/"),
		STR_INIT("/8"),
		STR_INIT("10"),
		STR_INIT("10/8"),
		STR_INIT("10.0.0/8"),
		STR_INIT("010.0.0.0"),
		STR_INIT("256.0.0.0"),
		STR_INIT("10.0.0.0/"),
		STR_INIT("10.0.0.0/33"),
		STR_INIT("10.0.0.0/-1"),
		STR_INIT("10.0.0.0/+8"),
		STR_INIT("10.0.0.0/0008"),
		STR_INIT("10.0.0.0/8/8"),
		STR_INIT("10.0.0.0/255.0.0.0"),
		STR_INIT("10.0.0.1/8"),
		STR_INIT("10.0.0.0 /8"),
		STR_INIT(" 10.0.0.0"),
		STR_INIT("10.0.0.0\0"),
		STR_INIT("2001:db8::/129"),
		STR_INIT("2001:db8::1/64"),
		STR_INIT("[2001:db8::]/32"),
		STR_INIT("fe80::1%eth0"),
		STR_INIT(":::"),
		STR_INIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"),
		STR_INIT("localhost"),
		STR_INIT("unix:0"),
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct network n;

		assert_false(network_parse(rows[i], &n));
		assert_non_null(network_wrong(rows[i]));
	}
}

static void a_peer_is_an_address_and_a_port(void **state UNUSED)
{
	static const struct {
		const char *peer, *address;
	} rows[] = {
		{"192.0.2.7:1234", "192.0.2.7"},
		{"192.0.2.7:0", "192.0.2.7"},
		{"[2001:db8::1]:65535", "2001:db8::1"},
		{"unix:1000", NULL},
		{"gone", NULL},
		{"", NULL},
		{"192.0.2.7", NULL},
		{"192.0.2.7:", NULL},
		{"192.0.2.7:65536", NULL},
		{"192.0.2.7:1:2", NULL},
		{"2001:db8::1", NULL},
		{"[2001:db8::1]", NULL},
		{"[2001:db8::1]1", NULL},
		{"[]:1", NULL},
		{"[", NULL},
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct network_address got, want;
		bool is = network_parse_peer(str_of(rows[i].peer), &got);

		assert_int_equal(is, rows[i].address != NULL);
		if (!is)
			continue;
		assert_true(network_parse_address(str_of(rows[i].address), &want));
		assert_memory_equal(&got, &want, sizeof got);
	}
}

static void a_list_has_a_peer_of_any_of_its_networks(void **state UNUSED)
{
	char first[] = "10.0.0.0/8", second[] = "2001:db8::/32";
	char *v[] = {first, second};
	struct conf_list list = {v, countof(v)}, none = {0};

	assert_true(network_list_has_peer(&list, "10.1.2.3:25"));
	assert_true(network_list_has_peer(&list, "[2001:db8::1]:25"));
	assert_false(network_list_has_peer(&list, "192.0.2.7:25"));
	assert_false(network_list_has_peer(&list, "unix:0"));
	assert_false(network_list_has_peer(&none, "10.1.2.3:25"));
}

static const struct {
	struct str in;
	const char *out; /* NULL: it is none */
} texts[] = {
	/* clang-format off */
	{STR_INIT("192.0.2.7"),          "192.0.2.7"},
	{STR_INIT("192.0.2.0/24"),       "192.0.2.0/24"},
	{STR_INIT("0.0.0.0/0"),          "0.0.0.0/0"},
	{STR_INIT("10.0.0.0/8"),         "10.0.0.0/8"},
	{STR_INIT("192.0.2.7/32"),       "192.0.2.7"},
	{STR_INIT("2001:db8::/32"),      "2001:db8::/32"},
	{STR_INIT("::1"),                "::1"},
	{STR_INIT("::/0"),               "::/0"},
	{STR_INIT("::ffff:192.0.2.7"),   "192.0.2.7"},
	{STR_INIT(""),                   NULL},
	{STR_INIT("/8"),                 NULL},
	{STR_INIT("10.0.0.0/"),          NULL},
	{STR_INIT("10.0.0.0/33"),        NULL},
	{STR_INIT("10.0.0.1/8"),         NULL},
	{STR_INIT("10.0.0.0/-1"),        NULL},
	{STR_INIT("10.0.0/8"),           NULL},
	{STR_INIT("010.0.0.0/8"),        NULL},
	{STR_INIT("2001:db8::1/64"),     NULL},
	{STR_INIT("2001:db8::/129"),     NULL},
	{STR_INIT("host"),               NULL},
	{STR_INIT("10.0.0.0\0"),         NULL},
	{STR_INIT("unix"),               NULL},
	/* clang-format on */
};

static void texts_are_networks_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(texts); i++) {
		struct network n;
		char text[NETWORK_TEXT];

		print_message("# row %zu\n", i);
		assert_int_equal(network_parse(texts[i].in, &n), texts[i].out != NULL);
		if (texts[i].out == NULL)
			continue;
		network_print(&n, text);
		assert_string_equal(text, texts[i].out);
	}
}

static const struct {
	const char *network, *address;
	bool has;
} members[] = {
	/* clang-format off */
	{"10.0.0.0/8",    "10.255.0.1",       true},
	{"10.0.0.0/8",    "11.0.0.0",         false},
	{"0.0.0.0/0",     "203.0.113.9",      true},
	{"0.0.0.0/0",     "2001:db8::1",      false},
	{"::/0",          "2001:db8::1",      true},
	{"192.0.2.7",     "192.0.2.7",        true},
	{"192.0.2.7",     "192.0.2.6",        false},
	{"192.0.2.6/31",  "192.0.2.7",        true},
	{"2001:db8::/32", "2001:db8:ff::1",   true},
	{"2001:db8::/32", "2001:db9::1",      false},
	{"192.0.2.0/24",  "::ffff:192.0.2.9", true},
	/* clang-format on */
};

static void an_address_is_in_a_network_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(members); i++) {
		struct network n;
		struct network_address a;

		print_message("# row %zu\n", i);
		assert_true(network_parse(str_of(members[i].network), &n));
		assert_true(network_parse_address(str_of(members[i].address), &a));
		assert_int_equal(network_has(&n, &a), members[i].has);
	}
}

static void a_line_is_a_24_or_a_64(void **state)
{
	static const char *const around[][2] = {
		{"192.0.2.7", "192.0.2.0/24"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
	};

	(void)state;
	for (size_t i = 0; i < countof(around); i++) {
		struct network_address a;
		struct network n;
		char text[NETWORK_TEXT];

		assert_true(network_parse_address(str_of(around[i][0]), &a));
		n = network_around(&a);
		network_print(&n, text);
		assert_string_equal(text, around[i][1]);
	}
}

static void a_list_is_read_whole_or_not(void **state)
{
	struct network list[2];
	struct err e;
	size_t n;

	(void)state;
	assert_int_equal(
		network_parse_list(STR("10.0.0.0/8,2001:db8::/32"), list, 2, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_true(network_any_has(list, n, &list[1].first));
	assert_int_equal(network_parse_list(STR("10.0.0.0/8,x"), list, 2, &n, &e), -1);
	assert_string_equal(e.text, "\"x\" is no network");
	assert_int_equal(network_parse_list(STR("::1,::2,::3"), list, 2, &n, &e), -1);
	assert_int_equal(network_parse_list(STR(""), list, 2, &n, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_has_its_addresses),
		cmocka_unit_test(what_is_no_network_is_told),
		cmocka_unit_test(a_peer_is_an_address_and_a_port),
		cmocka_unit_test(a_list_has_a_peer_of_any_of_its_networks),
		cmocka_unit_test(texts_are_networks_or_none),
		cmocka_unit_test(an_address_is_in_a_network_or_not),
		cmocka_unit_test(a_line_is_a_24_or_a_64),
		cmocka_unit_test(a_list_is_read_whole_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
