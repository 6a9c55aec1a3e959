/* SPDX-License-Identifier: ISC */
/* What the rows do is shown by t/box/test_privileges.py; here: that they are whole. */
#include "store/role.h"

#include "lib/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static bool grants(const struct role *r, const char *entry, unsigned may)
{
	for (size_t i = 0; i < ROLE_GRANTS && r->root[i].entry != NULL; i++)
		if (strcmp(r->root[i].entry, entry) == 0)
			return (r->root[i].may & may) != 0;
	return false;
}

static void every_row_is_whole(void **state UNUSED)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		const struct role *r = &roles[i];

		assert_non_null(r->name);
		assert_ptr_equal(role_find(str_of(r->name)), r);
		if (r->confined) {
			assert_int_equal(r->capabilities, 0);
			assert_int_not_equal(r->user, ROLE_STAYS);
			assert_true(r->calls & SANDBOX_CALLS_SERVE);
		}
		assert_null(r->root[ROLE_GRANTS - 1].entry);
	}
	assert_null(role_find(STR("")));
	assert_null(role_find(STR("root")));
}

static void who_talks_to_strangers_sees_no_secrets(void **state UNUSED)
{
	static const enum role_id talk[] = {
		ROLE_LMTP,        ROLE_POP3,     ROLE_POP3_LOGIN, ROLE_SIEVE,
		ROLE_SIEVE_LOGIN, ROLE_POPPASSD, ROLE_POLICY,     ROLE_MILTER};

	for (size_t i = 0; i < countof(talk); i++)
		assert_false(
			grants(&roles[talk[i]], "secrets", SANDBOX_READ | SANDBOX_WRITE));
	assert_true(grants(&roles[ROLE_AUTHD], "secrets", SANDBOX_WRITE));
	assert_false(
		grants(&roles[ROLE_AUTHD], "messages", SANDBOX_READ | SANDBOX_WRITE));
	assert_false(
		grants(&roles[ROLE_SIEVE], "messages", SANDBOX_READ | SANDBOX_WRITE));
	assert_null(roles[ROLE_SIEVE_LOGIN].root[0].entry);
	assert_null(roles[ROLE_POP3_LOGIN].root[0].entry);
	assert_false(roles[ROLE_POP3_LOGIN].calls & SANDBOX_CALLS_READ);
}

static void whose_process_it_is(void **state UNUSED)
{
	char root[] = "/tmp", none[] = "/nowhere-at-all", user[] = "daemon",
	     unknown[] = "no-such-user";
	struct settings set = {.store.root = root, .pop3.login_user = user};
	struct role_identity who;
	struct stat sb;
	struct err e;

	assert_int_equal(stat(root, &sb), 0);
	assert_int_equal(role_identity(&roles[ROLE_LMTP], &set, &who, &e), 0);
	assert_int_equal(who.uid, sb.st_uid);
	assert_int_equal(who.gid, sb.st_gid);
	assert_int_equal(role_identity(&roles[ROLE_POP3_LOGIN], &set, &who, &e), 0);
	assert_string_equal(who.name, user);
	assert_int_not_equal(who.uid, 0);
	assert_int_equal(role_identity(&roles[ROLE_DISPATCHER], &set, &who, &e), 0);
	assert_int_equal(who.uid, geteuid());
	set.store.root = none;
	assert_int_equal(role_identity(&roles[ROLE_LMTP], &set, &who, &e), -1);
	set.store.root = root;
	set.pop3.login_user = unknown;
	assert_int_equal(role_identity(&roles[ROLE_POP3_LOGIN], &set, &who, &e), 0);
	assert_int_equal(who.uid, geteuid() == 0 ? sb.st_uid : geteuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(who_talks_to_strangers_sees_no_secrets),
		cmocka_unit_test(whose_process_it_is),
	};

	return cmocka_run_group_tests_name("store/role", tests, NULL, NULL);
}
