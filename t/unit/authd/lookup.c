/* SPDX-License-Identifier: ISC */
#include "authd/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/log.h"
#include "store/storage.h"
#include "t/unit/auth/scratch.h"

#define DOMAIN "default_domain = \"example.org\" "

static void begin(struct scratch *s, struct judge *j, const char *settings)
{
	struct name template;
	struct account a;
	bool found;

	log_open("lookup", false, LOG_LV_ERROR);
	scratch_begin(s, settings);
	scratch_add(s, "alice@example.org", "a secret", 0);
	scratch_add(s, "bare@example.org", NULL, 0);
	scratch_add(s, "disuser@example.org", "a secret", ACCOUNT_DISUSER);
	template = scratch_name(s, "default@example.org");
	scratch_ok(account_find(s->store, &template, &a, &found, &e_));
	scratch_ok(secret_set(s->store, &a, STR("a secret"), true, &e_));
	scratch_ok(judge_init(j, store_settings(s->store), s->store, &e_));
}

/* ask - how many verifiers; *v is the one of SCRAM-SHA-256 */
static size_t ask(struct judge *j, const char *user, struct scram_verifier *v)
{
	struct question q = {
		.service = "smtp", .sid = "s", .client = "unix", .user = str_of(user)};
	struct auth_answer out;
	struct buf text;
	size_t n = 0;

	buf_init_secret(&text, LOOKUP_VERIFIERS_MAX);
	auth_answer_init(&out);
	assert_int_equal(lookup_verifiers(j, &q, &text, &out), 0);

	struct str rest = buf_str(&text);

	while (rest.n > 0) {
		struct scram_verifier one;

		assert_true(scram_parse(str_word(&rest), &one));
		if (one.hash == SCRAM_SHA_256)
			*v = one;
		n++;
	}
	auth_answer_fini(&out);
	buf_fini_secret(&text);
	return n;
}

/* fits - whether the password is the one that the verifier was made of */
static bool fits(const struct scram_verifier *v, const char *password)
{
	struct scram_verifier made = *v;
	struct err e;

	assert_int_equal(scram_make(str_of(password), &made, &e), 0);
	return memcmp(made.stored_key, v->stored_key, scram_key_octets(v->hash)) == 0;
}

static void an_account_has_its_own(void **state)
{
	static const char *const spellings[] = {"alice@example.org", "ALICE@Example.Net",
						"alice"};
	struct scram_verifier v;
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j, DOMAIN);
	for (size_t i = 0; i < countof(spellings); i++) {
		assert_int_equal(ask(&j, spellings[i], &v), SCRAM_HASHES);
		assert_true(fits(&v, "a secret"));
	}
	judge_fini(&j);
	scratch_end(&s);
}

/* As many, of the same form and cost, and the same each time, but none that fits. */
static void whoever_may_not_come_in_looks_the_same(void **state)
{
	static const char *const names[] = {
		"nobody@example.org",
		"bare@example.org",
		"disuser@example.org",
		"default@example.org",
		"alice@elsewhere.org",
		"no name at all",
		"",
	};
	struct scram_verifier alice, first, second;
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j, DOMAIN);
	ask(&j, "alice", &alice);
	for (size_t i = 0; i < countof(names); i++) {
		print_message("%s\n", names[i]);
		assert_int_equal(ask(&j, names[i], &first), SCRAM_HASHES);
		assert_int_equal(ask(&j, names[i], &second), SCRAM_HASHES);
		assert_memory_equal(&first, &second, sizeof first);
		assert_int_equal(first.iterations, alice.iterations);
		assert_int_equal(first.salt_n, alice.salt_n);
		assert_false(fits(&first, "a secret"));
	}
	ask(&j, "nobody@example.org", &first);
	ask(&j, "NOBODY@example.net", &second);
	assert_memory_equal(first.salt, second.salt, first.salt_n);
	judge_fini(&j);
	scratch_end(&s);
}

static void rules_hold(void **state)
{
	static const struct {
		const char *settings;
		bool fits;
	} cases[] = {
		{DOMAIN "rules = {\"service smtp mechanisms SCRAM-SHA-256\"}", true},
		{DOMAIN "rules = {\"service smtp mechanisms SCRAM-SHA-1,PLAIN\"}", false},
		{DOMAIN "rules = {\"service smtp mechanisms PLAIN\"}", false},
		{DOMAIN "rules = {\"service pop3 mechanisms PLAIN\"}", true},
		{DOMAIN "rules = {\"domain example.org sources saslauthd\"}", false},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct scram_verifier v;
		struct scratch s;
		struct judge j;

		print_message("%s\n", cases[i].settings);
		begin(&s, &j, cases[i].settings);
		assert_int_equal(ask(&j, "alice", &v), SCRAM_HASHES);
		assert_int_equal(fits(&v, "a secret"), cases[i].fits);
		judge_fini(&j);
		scratch_end(&s);
	}
}

static void what_cannot_be_read_is_said(void **state)
{
	struct question q = {.service = "smtp",
			     .sid = "s",
			     .client = "unix",
			     .user = STR_INIT("alice@example.org")};
	struct auth_answer out;
	struct place place;
	struct scratch s;
	struct judge j;
	struct name n;
	struct buf text;

	(void)state;
	begin(&s, &j, DOMAIN);
	n = scratch_name(&s, "alice@example.org");
	name_place("secrets", &n, NULL, &place);
	scratch_ok(storage_put(store_root(s.store), place.path, STR("nonsense\n"), 0,
			       NULL, &e_));
	buf_init_secret(&text, LOOKUP_VERIFIERS_MAX);
	auth_answer_init(&out);
	assert_int_equal(lookup_verifiers(&j, &q, &text, &out), -1);
	assert_int_equal(out.result, AUTH_TRY_AGAIN);
	auth_answer_fini(&out);
	buf_fini_secret(&text);
	judge_fini(&j);
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_has_its_own),
		cmocka_unit_test(whoever_may_not_come_in_looks_the_same),
		cmocka_unit_test(rules_hold),
		cmocka_unit_test(what_cannot_be_read_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
