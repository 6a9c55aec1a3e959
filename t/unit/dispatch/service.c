/* SPDX-License-Identifier: ISC */
#include "dispatch/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct service *find(const char *name)
{
	for (size_t i = 0; i < countof(services); i++)
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	fail_msg("no service %s", name);
	return NULL;
}

static void only_what_listens_runs(void **state UNUSED)
{
	char *addresses[] = {NULL, NULL};
	struct settings set = {
		.lmtp.workers = 3, .pop3.workers = 5, .pop3.login_workers = 4};

	for (size_t i = 0; i < countof(services); i++)
		assert_int_equal(service_workers(&services[i], &set), 0);
	set.lmtp.listen = set.pop3.listen = set.milter.listen =
		(struct conf_list){addresses, 1};
	assert_int_equal(service_workers(find("lmtp"), &set), 3);
	assert_int_equal(service_workers(find("pop3-login"), &set), 4);
	assert_int_equal(service_workers(find("milter"), &set), 1);
	assert_int_equal(service_workers(find("policy"), &set), 0);
}

static void policy_and_socketmap_are_one_program(void **state UNUSED)
{
	char *addresses[] = {NULL, NULL};
	struct settings set = {.socketmap.listen = {addresses, 2}};
	const struct service *policy = find("policy");

	assert_int_equal(service_workers(policy, &set), 1);
	assert_int_equal(service_listen(policy, 0, &set)->n, 0);
	assert_int_equal(service_listen(policy, 1, &set)->n, 2);
	assert_int_equal(service_listen(policy, 2, &set)->n, 0);
	assert_int_equal(service_listen(find("lmtp"), 1, &set)->n, 0);
	set.policy.listen = set.socketmap.listen;
	assert_int_equal(service_workers(policy, &set), 1);
}

static void who_takes_runs_when_somebody_gives(void **state UNUSED)
{
	char *addresses[] = {NULL, NULL};
	struct settings set = {.pop3.workers = 5, .pop3.login_workers = 4};

	set.auth.listen = (struct conf_list){addresses, 1};
	assert_int_equal(service_workers(find("authd"), &set), 1);
	assert_int_equal(service_workers(find("pop3"), &set), 0);
	set.auth.listen.n = 0;
	set.pop3.tls_listen = (struct conf_list){addresses, 1};
	assert_int_equal(service_workers(find("pop3-login"), &set), 4);
	assert_int_equal(service_workers(find("pop3"), &set), 5);
	assert_int_equal(service_workers(find("authd"), &set), 1);
}

/* Though each of the two gives to the other. */
static void nobody_runs_for_what_is_given_back(void **state UNUSED)
{
	char *addresses[] = {NULL, NULL};
	struct settings set = {.sieve.workers = 3, .sieve.login_workers = 2};

	assert_int_equal(service_workers(find("sieve-login"), &set), 0);
	assert_int_equal(service_workers(find("sieve"), &set), 0);
	assert_int_equal(service_workers(find("authd"), &set), 0);
	set.sieve.listen = (struct conf_list){addresses, 1};
	assert_int_equal(service_workers(find("sieve-login"), &set), 2);
	assert_int_equal(service_workers(find("sieve"), &set), 3);
	assert_int_equal(service_workers(find("authd"), &set), 1);
	assert_int_equal(service_workers(find("pop3"), &set), 0);
}

static void whatever_is_given_is_taken(void **state UNUSED)
{
	for (unsigned c = 1; c < 1u << CHANNEL_COUNT; c <<= 1) {
		size_t takers = 0, givers = 0;

		for (size_t i = 0; i < countof(services); i++) {
			takers += (services[i].takes & c) != 0;
			givers += (services[i].gives & c) != 0;
			assert_true(!(services[i].takes & services[i].gives));
		}
		assert_int_equal(takers, 1);
		assert_true(givers > 0);
	}
}

static void every_row_is_whole(void **state UNUSED)
{
	for (size_t i = 0; i < countof(services); i++) {
		assert_non_null(services[i].name);
		assert_non_null(services[i].program);
		assert_true(services[i].section[0].name != NULL ||
			    services[i].takes != 0);
		assert_in_range(services[i].stage, 0, STAGE_COUNT - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_listens_runs),
		cmocka_unit_test(policy_and_socketmap_are_one_program),
		cmocka_unit_test(who_takes_runs_when_somebody_gives),
		cmocka_unit_test(nobody_runs_for_what_is_given_back),
		cmocka_unit_test(whatever_is_given_is_taken),
		cmocka_unit_test(every_row_is_whole),
	};

	return cmocka_run_group_tests_name("dispatch/service", tests, NULL, NULL);
}
