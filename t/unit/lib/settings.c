/* SPDX-License-Identifier: ISC */
#include "lib/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/log.h"

static struct settings *parse(const char *text)
{
	struct settings *set;
	struct err e = {.text = ""};

	if (settings_parse("x.conf", str_of(text), &set, &e) < 0)
		print_message("# %s\n", e.text);
	return set;
}

static void an_empty_file_is_the_defaults(void **state UNUSED)
{
	struct settings *set = parse("");
	struct buf out;

	assert_non_null(set);
	assert_true(strlen(set->hostname) > 0);
	assert_string_equal(set->store.root, "/var/lib/popstore");
	assert_string_equal(set->store.delimiters, "+");
	assert_int_equal(set->store.volumes.n, 0);
	assert_int_equal(set->lmtp.listen.n, 0);
	assert_int_equal(set->lmtp.max_message, 50 << 20);
	assert_int_equal(set->lmtp.max_recipients, 1000);
	assert_int_equal(set->pop3.idle_timeout_s, 600);
	assert_int_equal(set->pop3.login_timeout_s, 60);
	assert_int_equal(set->store.over_quota, OVER_QUOTA_TEMPFAIL);
	assert_int_equal(set->auth.plaintext_without_tls, PLAINTEXT_LOOPBACK);
	assert_int_equal(set->log.to, LOG_TO_STDERR);
	assert_int_equal(set->log.level, LOG_LV_INFO);
	buf_init(&out, 16384);
	settings_print(set, true, &out);
	assert_string_equal(buf_cstr(&out), "");
	settings_free(&set);
	assert_null(set);
	settings_free(&set);
	buf_fini(&out);
}

static void reads_the_file_of_the_design(void **state UNUSED)
{
	struct settings *set = parse(
		"store  { root = \"/var/lib/popstore\"\n"
		"         volumes = {\"/disk1/popstore\", \"/disk2/popstore\"} }   # optional\n"
		"lmtp   { listen = {\"127.0.0.1:24\", \"/run/popstore/lmtp\"} }\n"
		"pop3   { listen = {\"[::]:110\"} }\n"
		"policy { listen = {\"127.0.0.1:10040\"} }         # policy protocol\n"
		"socketmap { listen = {\"127.0.0.1:10041\"} }      # same daemon\n"
		"milter { listen = {\"inet:8891@127.0.0.1\"} }\n"
		"tls    { certificate = \"/etc/x.pem\"  key = \"/etc/x.key\" }\n"
		"auth   { plaintext_without_tls = \"loopback\" }\n");

	assert_non_null(set);
	assert_int_equal(set->store.volumes.n, 2);
	assert_string_equal(set->store.volumes.v[1], "/disk2/popstore");
	assert_string_equal(set->lmtp.listen.v[1], "/run/popstore/lmtp");
	assert_string_equal(set->milter.listen.v[0], "inet:8891@127.0.0.1");
	assert_string_equal(set->tls.certificate.v[0], "/etc/x.pem");
	assert_string_equal(set->tls.key.v[0], "/etc/x.key");
	assert_int_equal(set->tls.minimum, TLS_MINIMUM_1_2);
	settings_free(&set);
}

/* Every default is inside its own bounds, and what is printed is read again. */
static void what_is_printed_is_read(void **state UNUSED)
{
	struct settings *set =
		parse("log { level = debug } lmtp { listen = {\"*:24\"} }");
	struct buf first, second;

	assert_non_null(set);
	buf_init(&first, 16384);
	buf_init(&second, 16384);
	settings_print(set, false, &first);
	settings_free(&set);
	set = parse(buf_cstr(&first));
	assert_non_null(set);
	settings_print(set, false, &second);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	buf_clear(&second);
	settings_print(set, true, &second);
	assert_string_equal(
		buf_cstr(&second),
		"lmtp {\n\tlisten = {\"*:24\"}\n}\nlog {\n\tlevel = debug\n}\n");
	settings_free(&set);
	buf_fini(&first);
	buf_fini(&second);
}

static void refuses(void **state UNUSED)
{
	static const char *const rows[] = {
		"hostname = \"a b\"",
		"hostname = \"a\\r\\nb\"",
		"store { name_charset = \"@\" }",
		"store { name_charset = \"/\" }",
		"store { delimiters = \".\" }",
		"store { delimiters = \"12345678\" }",
		"store { volumes = {/a, /a} }",
		"lmtp { listen = {\"a b\"} }",
		"lmtp { proxy_networks = {\"10.0.0.1/8\"} }",
		"lmtp { xclient_networks = {\"localhost\"} }",
		"pop3 { proxy_networks = {\"10.0.0.0/33\"} }",
		"lmtp { max_message = 65535 }",
		"lmtp { max_recipients = 99 }",
		"pop3 { idle_timeout = 599 }",
		"tls { certificate = x.pem }",
		"tls { minimum = \"1.1\" }",
		"auth { default_domain = \"a@b\" }",
		"auth { yescrypt_cost = 12 }",
	};

	for (size_t i = 0; i < countof(rows); i++)
		assert_null(parse(rows[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_is_the_defaults),
		cmocka_unit_test(reads_the_file_of_the_design),
		cmocka_unit_test(what_is_printed_is_read),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
