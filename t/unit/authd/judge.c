/* SPDX-License-Identifier: ISC */
/* Who may come in, by rows; and that a refusal never takes a short cut. */
#include "authd/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "lib/log.h"
#include "store/domain.h"
#include "store/storage.h"
#include "t/unit/auth/scratch.h"

static const struct {
	struct str user, password;
	const char *account; /* NULL: refused */
} rows[] = {
	/* clang-format off */
	{STR_INIT("alice@example.org"),   STR_INIT("a secret"), "alice@example.org"},
	{STR_INIT("Alice@EXAMPLE.net"),   STR_INIT("a secret"), "alice@example.org"},
	{STR_INIT("alice"),               STR_INIT("a secret"), "alice@example.org"},
	{STR_INIT("dismail@example.org"), STR_INIT("a secret"), "dismail@example.org"},
	{STR_INIT("lockpwd@example.org"), STR_INIT("a secret"), "lockpwd@example.org"},

	{STR_INIT("alice@example.org"),   STR_INIT("A secret"),    NULL},
	{STR_INIT("alice@example.org"),   STR_INIT(""),            NULL},
	{STR_INIT("alice@example.org"),   STR_INIT("a secret "),   NULL},
	{STR_INIT("alice@example.org"),   STR_INIT("a secret\0"),  NULL},
	{STR_INIT("alice@example.org"),   STR_INIT("x\tmaster_user=root\tskip_password_check=1"), NULL},
	{STR_INIT("bare@example.org"),    STR_INIT(""),            NULL},
	{STR_INIT("bare@example.org"),    STR_INIT("a secret"),    NULL},
	{STR_INIT("disuser@example.org"), STR_INIT("a secret"),    NULL},
	{STR_INIT("disuser@example.org"), STR_INIT("wrong"),       NULL},
	{STR_INIT("default@example.org"), STR_INIT("a secret"),    NULL},
	{STR_INIT("default@example.org"), STR_INIT("wrong"),       NULL},
	{STR_INIT("nobody@example.org"),  STR_INIT("a secret"),    NULL},
	{STR_INIT("alice@example.com"),   STR_INIT("a secret"),    NULL},
	{STR_INIT("alice+x@example.org"), STR_INIT("a secret"),    NULL},
	{STR_INIT(""),                    STR_INIT("a secret"),    NULL},
	{STR_INIT("a\0b@example.org"),    STR_INIT("a secret"),    NULL},
	{STR_INIT("alice\x1b]0;x\x07"),   STR_INIT("a secret"),    NULL},
	/* clang-format on */
};

static void begin(struct scratch *s, struct judge *j)
{
	struct name template;
	struct account account;
	struct err e;
	bool found;

	log_open("judge", false, LOG_LV_ERROR);
	scratch_begin(s, "default_domain = \"example.org\"");
	scratch_add(s, "alice@example.org", "a secret", 0);
	scratch_add(s, "bare@example.org", NULL, 0);
	scratch_add(s, "dismail@example.org", "a secret", ACCOUNT_DISMAIL);
	scratch_add(s, "disuser@example.org", "a secret", ACCOUNT_DISUSER);
	scratch_add(s, "lockpwd@example.org", "a secret", ACCOUNT_LOCKPWD);
	/* A secret that nothing here would give the template. */
	template = scratch_name(s, "default@example.org");
	assert_int_equal(account_find(s->store, &template, &account, &found, &e), 0);
	assert_true(found);
	assert_int_equal(secret_set(s->store, &account, STR("a secret"), true, &e), 0);
	scratch_ok(judge_init(j, store_settings(s->store), s->store, &e_));
}

static void end(struct scratch *s, struct judge *j)
{
	judge_fini(j);
	scratch_end(s);
}

static void ask(struct judge *j, struct str user, struct str password,
		struct auth_answer *out)
{
	struct question q = {.service = "pop3",
			     .sid = "s1",
			     .client = "192.0.2.7",
			     .server = "192.0.2.1:110",
			     .tls = true,
			     .loopback = true, /* no line to wait in */
			     .user = user,
			     .password = password};

	auth_answer_init(out);
	judge_password(j, &q, out);
}

static void rows_say_who_comes_in(void **state)
{
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j);
	for (size_t i = 0; i < countof(rows); i++) {
		struct auth_answer out;

		print_message("# row %zu\n", i);
		ask(&j, rows[i].user, rows[i].password, &out);
		assert_int_equal(out.result, rows[i].account ? AUTH_OK : AUTH_REFUSED);
		assert_string_equal(out.account, rows[i].account ? rows[i].account : "");
		assert_int_equal(out.uid != 0, rows[i].account != NULL);
		/* Nobody is told why. */
		assert_string_equal(out.why, "");
		auth_answer_fini(&out);
	}
	end(&s, &j);
}

static void what_cannot_be_read_is_neither_yes_nor_no(void **state)
{
	struct scratch s;
	struct judge j;
	struct auth_answer out;
	struct name n;
	struct place place;

	(void)state;
	begin(&s, &j);
	n = scratch_name(&s, "alice@example.org");
	name_place("secrets", &n, NULL, &place);
	scratch_ok(storage_put(store_root(s.store), place.path, STR("nonsense\n"), 0,
			       NULL, &e_));
	ask(&j, STR("alice@example.org"), STR("a secret"), &out);
	assert_int_equal(out.result, AUTH_TRY_AGAIN);
	auth_answer_fini(&out);
	end(&s, &j);
}

static void clear_text_is_for_whom_the_settings_say(void **state)
{
	static const struct {
		const char *word;
		bool tls, loopback, may;
	} cases[] = {
		{"never", false, true, false},     {"never", true, false, true},
		{"loopback", false, false, false}, {"loopback", false, true, true},
		{"loopback", true, false, true},   {"always", false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct scratch s;
		char setting[64];
		struct auth_offer offer;
		struct auth_answer out;
		struct question q = {.service = "pop3",
				     .sid = "",
				     .client = "",
				     .server = "",
				     .tls = cases[i].tls,
				     .loopback = cases[i].loopback,
				     .user = STR_INIT("alice@example.org"),
				     .password = STR_INIT("a secret")};

		snprintf(setting, sizeof setting, "plaintext_without_tls = %s",
			 cases[i].word);
		scratch_begin(&s, setting);
		scratch_add(&s, "alice@example.org", "a secret", 0);

		struct judge j;

		scratch_ok(judge_init(&j, store_settings(s.store), s.store, &e_));

		judge_offer(&j, &q, &offer);
		assert_int_equal(offer.password, cases[i].may);
		auth_answer_init(&out);
		judge_password(&j, &q, &out);
		assert_int_equal(out.result, cases[i].may ? AUTH_OK : AUTH_REFUSED);
		auth_answer_fini(&out);
		end(&s, &j);
	}
}

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void every_refusal_pays_for_a_hash(void **state)
{
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j);
	for (size_t i = 0; i < countof(rows); i++) {
		struct auth_answer out;
		uint64_t before = cpu_us();

		ask(&j, rows[i].user, rows[i].password, &out);
		/* At cost 1 a hash takes about 1,000 us, everything else under 100. */
		if (out.result == AUTH_REFUSED && cpu_us() - before < 400)
			fail_msg(STR_FMT ": %u us", STR_ARG(rows[i].user),
				 (unsigned)(cpu_us() - before));
		auth_answer_fini(&out);
	}
	end(&s, &j);
}

/* ---- APOP ----------------------------------------------------------------------- */

static const struct {
	const char *rule;
	enum auth_result result;
} apop_rows[] = {
	{"mechanisms APOP", AUTH_OK},
	{"sources saslauthd,secret mechanisms APOP", AUTH_OK},
	{"mechanisms PASS", AUTH_REFUSED},
	{"sources saslauthd mechanisms APOP", AUTH_REFUSED},
	{"domain example.org sources saslauthd mechanisms APOP", AUTH_REFUSED},
};

static enum auth_result apop(struct judge *j)
{
	/* RFC 1939 s7 */
	struct question q = {
		.service = "pop3",
		.sid = "s1",
		.client = "192.0.2.7",
		.server = "",
		.loopback = true,
		.user = STR("mrose@example.org"),
		.challenge = STR("<1896.697170952@dbc.mtview.ca.us>"),
		.digest = STR("c4c9334bac560ecc979e58001b3e22fb"),
	};
	struct auth_answer out;
	enum auth_result result;

	auth_answer_init(&out);
	judge_apop(j, &q, &out);
	result = out.result;
	auth_answer_fini(&out);
	return result;
}

static void set_recoverable(struct scratch *s)
{
	struct domain d;
	bool found;

	scratch_ok(domain_find(s->store, STR("example.org"), &d, &found, &e_));
	assert_true(found);
	d.recoverable = true;
	scratch_ok(domain_update(s->store, &d, &e_));
}

static void apop_is_for_whom_the_rules_ask_the_secret(void **state)
{
	(void)state;
	log_open("judge", false, LOG_LV_ERROR);
	for (size_t i = 0; i < countof(apop_rows); i++) {
		struct scratch s;
		struct judge j;
		char auth[256];

		print_message("# row %zu: %s\n", i, apop_rows[i].rule);
		snprintf(auth, sizeof auth, "rules = {\"%s\"}", apop_rows[i].rule);
		scratch_begin(&s, auth);
		set_recoverable(&s);
		scratch_add(&s, "mrose@example.org", "tanstaaf", 0);
		scratch_ok(judge_init(&j, store_settings(s.store), s.store, &e_));
		assert_int_equal(apop(&j), apop_rows[i].result);
		end(&s, &j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_who_comes_in),
		cmocka_unit_test(what_cannot_be_read_is_neither_yes_nor_no),
		cmocka_unit_test(clear_text_is_for_whom_the_settings_say),
		cmocka_unit_test(every_refusal_pays_for_a_hash),
		cmocka_unit_test(apop_is_for_whom_the_rules_ask_the_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
