/* SPDX-License-Identifier: ISC */
/* Who may change a password to what, and that nothing is changed otherwise. */
#include "authd/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/log.h"
#include "t/unit/auth/scratch.h"

#define OLD "a secret"
#define NEW "another secret"

static const struct {
	const char *user, *old, *new;
	enum auth_result result;
	const char *why; /* part of it */
} rows[] = {
	/* clang-format off */
	{"alice@example.org", OLD, NEW, AUTH_OK, ""},
	{"ALICE@example.org", OLD, NEW, AUTH_OK, ""},
	{"alice@example.org", "wrong", NEW, AUTH_REFUSED, ""},
	{"alice@example.org", "", NEW, AUTH_REFUSED, ""},
	{"nobody@example.org", OLD, NEW, AUTH_REFUSED, ""},
	{"alice@example.org", OLD, "", AUTH_REJECTED, "password"},
	{"alice@example.org", OLD, "seven77", AUTH_REJECTED, "less than 8"},
	{"alice@example.org", OLD, OLD, AUTH_REJECTED, "same as before"},
	{"alice@example.org", OLD, "alice@example.org", AUTH_REJECTED, "name of the account"},
	{"alice@example.org", OLD, "tab\there is none", AUTH_REJECTED, "control"},
	{"alice@example.org", "wrong", "", AUTH_REFUSED, ""},
	{"lockpwd@example.org", OLD, NEW, AUTH_REJECTED, "cannot be changed"},
	{"lockpwd@example.org", "wrong", NEW, AUTH_REFUSED, ""},
	{"disuser@example.org", OLD, NEW, AUTH_REFUSED, ""},
	{"bare@example.org", OLD, NEW, AUTH_REFUSED, ""},
	/* clang-format on */
};

static void begin(struct scratch *s, struct judge *j, const char *settings)
{
	log_open("change", false, LOG_LV_ERROR);
	scratch_begin(s, settings);
	scratch_add(s, "alice@example.org", OLD, 0);
	scratch_add(s, "bare@example.org", NULL, 0);
	scratch_add(s, "disuser@example.org", OLD, ACCOUNT_DISUSER);
	scratch_add(s, "lockpwd@example.org", OLD, ACCOUNT_LOCKPWD);
	scratch_ok(judge_init(j, store_settings(s->store), s->store, &e_));
}

static struct question question(const char *user, const char *old, const char *new)
{
	return (struct question){.service = "poppassd",
				 .sid = "s1",
				 .client = "192.0.2.7",
				 .server = "192.0.2.1:106",
				 .tls = true,
				 .user = str_of(user),
				 .password = str_of(old),
				 .new_password = str_of(new)};
}

static bool comes_in(struct judge *j, const char *user, const char *password)
{
	struct question q = question(user, password, "");
	struct auth_answer out;

	auth_answer_init(&out);
	judge_password(j, &q, &out);

	bool in = out.result == AUTH_OK;

	auth_answer_fini(&out);
	return in;
}

static void rows_say_what_is_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct question q = question(rows[i].user, rows[i].old, rows[i].new);
		struct auth_answer out;
		struct scratch s;
		struct judge j;

		print_message("# row %zu\n", i);
		begin(&s, &j, "");
		auth_answer_init(&out);
		change_password(&j, &q, &out);
		assert_int_equal(out.result, rows[i].result);
		assert_non_null(strstr(out.why, rows[i].why));
		assert_int_equal(out.why[0] != '\0', rows[i].result == AUTH_REJECTED);
		assert_string_equal(out.account,
				    rows[i].result == AUTH_OK ? "alice@example.org" : "");

		bool changed = rows[i].result == AUTH_OK;

		assert_int_equal(comes_in(&j, "alice@example.org", NEW), changed);
		assert_int_equal(comes_in(&j, "alice@example.org", OLD), !changed);
		auth_answer_fini(&out);
		judge_fini(&j);
		scratch_end(&s);
	}
}

/* An account whose password is kept elsewhere has no secret here, so whoever came in did
 * by another source, and nothing is written that nobody would read. */
static void a_password_that_is_elsewhere_is_not_kept(void **state)
{
	struct question q = question("far@example.org", OLD, NEW);
	struct auth_answer out;
	struct secret secret;
	struct account a;
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j, "");
	a = scratch_add(&s, "far@example.org", OLD, 0);
	a.flags |= ACCOUNT_PWD_ELSEWHERE;
	scratch_ok(account_update(s.store, &a, &e_));
	auth_answer_init(&out);
	change_password(&j, &q, &out);
	assert_int_not_equal(out.result, AUTH_OK);
	scratch_ok(secret_read(s.store, &a, &secret, &e_));
	assert_false(secret.found);
	secret_fini(&secret);
	auth_answer_fini(&out);
	judge_fini(&j);
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_what_is_changed),
		cmocka_unit_test(a_password_that_is_elsewhere_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
