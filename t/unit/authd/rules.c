/* SPDX-License-Identifier: ISC */
/* What a rule may say, and which one holds. */
#include "authd/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int make(const char *const *texts, size_t n, struct rules **out, struct err *e)
{
	static char pop3_at[] = "127.0.0.1:1110", pop3s_at[] = "*:106";
	static char poppassd_at[] = "[0:0::1]:106", poppassds_at[] = "/run/*:7";
	static char *pop3[] = {pop3_at}, *pop3s[] = {pop3s_at},
		    *poppassd[] = {poppassd_at}, *poppassds[] = {poppassds_at};
	char *v[8];
	struct settings set = {
		.pop3 = {.listen = {pop3, 1}, .tls_listen = {pop3s, 1}},
		.poppassd = {.listen = {poppassd, 1}, .tls_listen = {poppassds, 1}},
		.auth = {.rules = {v, n}},
	};

	assert_true(n <= countof(v));
	for (size_t i = 0; i < n; i++)
		v[i] = xstrdup(texts[i]);

	int rc = rules_new(&set, out, e);

	for (size_t i = 0; i < n; i++)
		xfree(&v[i]);
	return rc;
}

static const struct {
	const char *rule;
	const char *wrong; /* NULL: it is one */
} rows[] = {
	/* clang-format off */
	{"service smtp  sources secret,saslauthd  mechanisms PLAIN,LOGIN", NULL},
	{"client 10.0.0.0/8,2001:db8::/32  sources secret,ldapdb  transition yes", NULL},
	{"listen 127.0.0.1:1110  sources pop3://old.example.org  transition yes", NULL},
	{"mechanisms SCRAM-SHA-256,SCRAM-SHA-256-PLUS,PLAIN", NULL},
	{"mechanisms scram-sha-256,pass,Apop", NULL},
	{"domain example.org,EXAMPLE.net tls yes", NULL},
	{"", NULL},
	{"sources auxprop:sql,sasldb,pop3s://h:995?user=local,imap://[::1]:143,imaps://h?ca=/a", NULL},
	{"sources imap://h?user=local&tls=no", NULL},

	{"service",                     "nothing follows service"},
	{"colour blue",                 "\"colour\" is no word of a rule"},
	{"service pop3 service smtp",   "it says service twice"},
	{"service averyveryverylongname", "\"averyveryverylongname\" is no service"},
	{"service pop",                 "\"pop\" is no service"},
	{"service POP3",                "\"POP3\" is no service"},
	{"listen [::]:106",             NULL},
	{"listen *:106 service pop3",   NULL},
	{"listen [::1]:106 service poppassd", NULL},
	{"listen 192.0.2.1:25 service smtp", NULL},
	{"listen 127.0.0.1:110",        "\"127.0.0.1:110\" is no address where pop3, sieve or poppassd listens"},
	{"listen *:1110",               "\"[::]:1110\" is no address where pop3, sieve or poppassd listens"},
	{"listen 192.0.2.1:25",         "\"192.0.2.1:25\" is no address where pop3, sieve or poppassd listens"},
	{"listen *:106 service poppassd", "\"[::]:106\" is no address where this service listens"},
	{"client 10.0.0.1/8",           "\"10.0.0.1/8\" is no network"},
	{"client host",                 "\"host\" is no network"},
	{"tls maybe",                   "\"maybe\" is no yes or no"},
	{"mechanisms PLAIN,NTLM",       "\"NTLM\" is no mechanism"},
	{"mechanisms PLAIN,",           NULL},
	{"sources ldap",                "\"ldap\" is no source"},
	{"sources secretly",            "\"secretly\" is no source"},
	{"sources auxprop:",            "a plug-in's name is missing"},
	{"sources auxprop:../../x",     "a plug-in's name is missing"},
	{"sources pop3://",             "\"\" is no host"},
	{"sources pop3://a/b",          "\"a/b\" is no host"},
	{"sources pop3://u@h",          "\"u@h\" is no host"},
	{"sources pop3://h?x=y",        "\"x=y\" is no option"},
	{"sources pop3s://h?tls=no",    "\"tls=no\" is no option"},
	{"sources http://h",            "\"http://h\" is no source"},
	{"sources secret,secret,secret,secret,secret,secret,secret,secret,secret", "more than 8 sources"},
	{"domain a..b",                 ""},
	/* clang-format on */
};

static void rows_are_rules_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct rules *r;
		struct err e = {0};
		char want[300];
		int rc = make(&rows[i].rule, 1, &r, &e);

		print_message("# row %zu: %s\n", i, e.text);
		assert_int_equal(rc, rows[i].wrong ? -1 : 0);
		if (rows[i].wrong != NULL) {
			snprintf(want, sizeof want,
				 "auth.rules, rule 1 \"%.80s\": ", rows[i].rule);
			assert_true(str_starts(str_of(e.text), str_of(want)));
			assert_true(str_ends(str_of(e.text), str_of(rows[i].wrong)));
			assert_string_equal(e.dsn[0] == '5' ? "5" : e.dsn, "5");
		}
		rules_free(&r);
	}
}

static const char *const site[] = {
	"service smtp sources saslauthd mechanisms PLAIN,LOGIN",
	"client 10.0.0.0/8,2001:db8::/32 sources secret,ldapdb transition yes",
	"listen 127.0.0.1:1110 sources pop3://old.example.org",
	"domain old.example.net mechanisms CRAM-MD5",
	"tls no mechanisms SCRAM-SHA-256",
};

static const struct {
	const char *service, *client, *server, *domain;
	bool tls;
	const char *source; /* the first one */
	unsigned mechanism; /* one that it has */
	bool transition;
} asked[] = {
	/* clang-format off */
	{"smtp", "10.1.1.1",    "",               "example.org",     true,  "saslauthd", MECHANISM_LOGIN, false},
	{"pop3", "10.1.1.1",    "127.0.0.1:1110", "example.org",     true,  "secret", MECHANISM_SCRAM_SHA_1, true},
	{"pop3", "2001:db8::9", "127.0.0.1:1110", "example.org",     true,  "secret", MECHANISM_PLAIN, true},
	{"pop3", "192.0.2.7",   "127.0.0.1:1110", "example.org",     true,  "pop3://old.example.org", MECHANISM_PLAIN, false},
	{"pop3", "192.0.2.7",   "127.0.0.1:110",  "old.example.net", true,  "secret", MECHANISM_CRAM_MD5, false},
	{"pop3", "192.0.2.7",   "127.0.0.1:110",  "example.org",     true,  "secret", MECHANISM_PASS, false},
	{"pop3", "192.0.2.7",   "127.0.0.1:110",  "",                true,  "secret", MECHANISM_PASS, false},
	{"pop3", "192.0.2.7",   "127.0.0.1:110",  "example.org",     false, "secret", MECHANISM_SCRAM_SHA_256, false},
	{"pop3", "unix",        "",               "",                true,  "secret", MECHANISM_PASS, false},
	/* clang-format on */
};

static void the_first_that_fits_holds(void **state)
{
	struct rules *r;
	struct err e;

	(void)state;
	assert_int_equal(make(site, countof(site), &r, &e), 0);
	for (size_t i = 0; i < countof(asked); i++) {
		struct question q = {.service = asked[i].service,
				     .client = asked[i].client,
				     .server = asked[i].server,
				     .tls = asked[i].tls};
		const struct rule *rule = rules_find(r, &q, str_of(asked[i].domain));

		print_message("# row %zu\n", i);
		assert_string_equal(rule->sources[0].text, asked[i].source);
		assert_true(rule->mechanisms & MECHANISM_BIT(asked[i].mechanism));
		assert_int_equal(rule->transition, asked[i].transition);
	}
	rules_free(&r);
}

/* As configured, though a socket names itself in one way only. */
static void an_address_has_many_spellings(void **state)
{
	static const char *const as_configured[] = {
		"listen *:106 mechanisms APOP",
		"listen *:106 mechanisms APOP",
		"listen [0:0::1]:106 mechanisms APOP",
		"service smtp listen [2001:DB8::7]:25 mechanisms APOP",
		"listen /run/*:7 mechanisms APOP",
	};
	static const char *const named[] = {"[::]:106", "0.0.0.0:106", "[::1]:106",
					    "[2001:db8::7]:25", "/run/*:7"};
	struct err e;

	(void)state;
	for (size_t i = 0; i < countof(named); i++) {
		struct question q = {
			.service = "smtp", .client = "192.0.2.7", .server = named[i]};
		struct rules *r;

		print_message("# row %zu\n", i);
		assert_int_equal(make(&as_configured[i], 1, &r, &e), 0);
		assert_true(rules_find(r, &q, STR(""))->mechanisms ==
			    MECHANISM_BIT(MECHANISM_APOP));
		rules_free(&r);
	}
}

static void what_a_late_name_may_have_is_offered(void **state)
{
	struct question q = {.service = "pop3",
			     .client = "192.0.2.7",
			     .server = "127.0.0.1:110",
			     .tls = false};
	struct rules *r;
	struct err e;

	(void)state;
	assert_int_equal(make(site, countof(site), &r, &e), 0);
	assert_int_equal(rules_mechanisms(r, &q),
			 MECHANISM_BIT(MECHANISM_CRAM_MD5) |
				 MECHANISM_BIT(MECHANISM_SCRAM_SHA_256));
	q.tls = true;
	assert_int_equal(rules_mechanisms(r, &q),
			 MECHANISM_BIT(MECHANISM_CRAM_MD5) | mechanism_defaults());
	q.service = "smtp";
	assert_int_equal(rules_mechanisms(r, &q),
			 MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN));
	rules_free(&r);
}

static void what_has_to_be_loaded_is_told(void **state)
{
	struct rules *r;
	struct err e;
	size_t n = 0;

	(void)state;
	assert_int_equal(make(site, countof(site), &r, &e), 0);
	assert_true(rules_all_mechanisms(r) & MECHANISM_BIT(MECHANISM_CRAM_MD5));
	assert_false(rules_all_mechanisms(r) & MECHANISM_BIT(MECHANISM_GSSAPI));
	while (rules_source(r, n) != NULL)
		n++;
	assert_int_equal(n, 6);
	assert_string_equal(rules_source(r, 2)->text, "ldapdb");
	rules_free(&r);
}

static void who_asks_the_client_is_told(void **state)
{
	struct rules *r;
	struct err e;

	(void)state;
	assert_int_equal(make(site, countof(site), &r, &e), 0);
	assert_true(rules_ask_client(r));
	rules_free(&r);
	assert_int_equal(make(site, 1, &r, &e), 0);
	assert_false(rules_ask_client(r));
	rules_free(&r);
	assert_int_equal(make(NULL, 0, &r, &e), 0);
	assert_false(rules_ask_client(r));
	rules_free(&r);
}

static void without_rules_it_is_the_secret(void **state)
{
	struct question q = {.service = "pop3", .client = "", .server = ""};
	struct rules *r;
	struct err e;

	(void)state;
	assert_int_equal(make(NULL, 0, &r, &e), 0);
	assert_ptr_equal(rules_find(r, &q, STR("example.org")), rules_default());
	assert_int_equal(rules_default()->n_sources, 1);
	assert_true(source_is_secret(&rules_default()->sources[0]));
	assert_false(rules_default()->mechanisms & MECHANISM_BIT(MECHANISM_APOP));
	rules_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_rules_or_not),
		cmocka_unit_test(the_first_that_fits_holds),
		cmocka_unit_test(an_address_has_many_spellings),
		cmocka_unit_test(what_a_late_name_may_have_is_offered),
		cmocka_unit_test(what_has_to_be_loaded_is_told),
		cmocka_unit_test(who_asks_the_client_is_told),
		cmocka_unit_test(without_rules_it_is_the_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
