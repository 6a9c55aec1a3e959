/* SPDX-License-Identifier: ISC */
#include "store/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "t/unit/store/scratch.h"

static const char text[] = "Subject: x\r\n\r\nend\r\n.\r\n";

/* Room for 64 cells, and so for 48 pairs. */
enum { SMALL = 64 * 8, FITS = 48 };

static void what_was_put_is_there_and_nothing_else(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	struct seen seen = {.max = SEEN_OCTETS};

	for (uint64_t id = 1; id <= 10000; id++)
		seen_put(&seen, a.uid, id);
	seen_put(&seen, a.uid, 1);
	assert_int_equal(seen.used, 10000);
	for (uint64_t id = 1; id <= 10000; id++)
		assert_true(seen_has(&seen, s->store, &a, id));
	assert_int_equal(seen.reads, 0);
	assert_false(seen_has(&seen, s->store, &a, 10001));
	assert_int_equal(seen.reads, 1);
	seen_fini(&seen);
}

static void its_memory_has_an_end(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	struct seen seen = {.max = SMALL};

	for (uint64_t id = 1; id <= 1000; id++) {
		seen_put(&seen, a.uid, id);
		assert_true(seen.size * sizeof *seen.pairs <= SMALL);
	}
	assert_int_equal(seen.used, FITS);
	for (uint64_t id = 1; id <= 1000; id++)
		assert_int_equal(seen_has(&seen, s->store, &a, id), id <= FITS);
	seen_fini(&seen);

	seen = (struct seen){.max = 0};
	seen_put(&seen, a.uid, 1);
	assert_int_equal(seen.used, 0);
	seen_fini(&seen);
}

static void a_maildrop_is_read_once_for_all_that_did_not_fit(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	struct seen seen = {.max = SMALL};
	uint64_t ids[20];

	for (size_t i = 0; i < countof(ids); i++)
		ids[i] = scratch_deliver(s, &a, text);
	for (size_t i = 0; i < countof(ids); i++)
		assert_true(seen_has(&seen, s->store, &a, ids[i]));
	assert_false(seen_has(&seen, s->store, &a, ids[0] - 1));
	assert_int_equal(seen.reads, 1);
	seen_fini(&seen);
}

/* Of more maildrops than it may remember some are read again, and the answers are right. */
static void maildrops_make_room_for_others(void **state)
{
	enum { ACCOUNTS = 12, EACH = 10 };
	struct scratch *s = *state;
	struct seen seen = {.max = SMALL}; /* six of these */
	struct account a[ACCOUNTS];
	uint64_t ids[ACCOUNTS][EACH];

	for (size_t i = 0; i < ACCOUNTS; i++) {
		char name[64];

		snprintf(name, sizeof name, "user%zu@example.org", i);
		a[i] = scratch_account(s, name);
		for (size_t j = 0; j < EACH; j++)
			ids[i][j] = scratch_deliver(s, &a[i], text);
	}
	for (size_t j = 0; j < EACH; j++)
		for (size_t i = 0; i < ACCOUNTS; i++) {
			assert_true(seen_has(&seen, s->store, &a[i], ids[i][j]));
			assert_false(seen_has(&seen, s->store, &a[i],
					      ids[(i + 1) % ACCOUNTS][j]));
			assert_true(seen.octets <= SMALL);
		}
	assert_true(seen.reads > ACCOUNTS);
	seen_fini(&seen);
}

static void one_larger_than_the_bound_is_remembered_alone(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	struct account b = scratch_account(s, "bob@example.org");
	struct seen seen = {.max = 64};
	uint64_t of_a[20], of_b = scratch_deliver(s, &b, text);

	for (size_t i = 0; i < countof(of_a); i++)
		of_a[i] = scratch_deliver(s, &a, text);
	assert_true(seen_has(&seen, s->store, &b, of_b));
	for (size_t i = 0; i < countof(of_a); i++)
		assert_true(seen_has(&seen, s->store, &a, of_a[i]));
	assert_int_equal(seen.reads, 2);
	assert_int_equal(seen.octets, sizeof of_a);
	assert_true(seen_has(&seen, s->store, &b, of_b));
	assert_int_equal(seen.octets, sizeof of_b);
	seen_fini(&seen);
}

static void of_a_damaged_one_nothing_is_said_and_it_is_read_once(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	struct seen seen = {.max = SMALL};
	uint64_t id = scratch_deliver(s, &a, text);

	scratch_flip(s, scratch_place("accounts", a.name.s, "maildrop").s, 60);
	assert_true(seen_has(&seen, s->store, &a, id));
	assert_true(seen_has(&seen, s->store, &a, id + 1));
	assert_int_equal(seen.reads, 1);
	seen_fini(&seen);
}

#define IN_A_STORE(test) \
	cmocka_unit_test_setup_teardown(test, scratch_start, scratch_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_STORE(what_was_put_is_there_and_nothing_else),
		IN_A_STORE(its_memory_has_an_end),
		IN_A_STORE(a_maildrop_is_read_once_for_all_that_did_not_fit),
		IN_A_STORE(maildrops_make_room_for_others),
		IN_A_STORE(one_larger_than_the_bound_is_remembered_alone),
		IN_A_STORE(of_a_damaged_one_nothing_is_said_and_it_is_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
