/* SPDX-License-Identifier: ISC */
#include "store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/conn.h"
#include "store/account_mend.h"
#include "t/unit/store/scratch.h"

#include <pthread.h>

static const char alice[] = "alice@example.org";
enum { HOUR = 3600 * 1000 };

struct fixture {
	struct scratch s;
	struct account a;
	uint64_t now;
};

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "");
	x->a = scratch_account(&x->s, alice);
	x->now = clock_unix_ms();
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	scratch_end(&x->s);
	xfree(state);
	return 0;
}

static struct memory_key key(const char *word)
{
	struct str part = str_of(word);

	return memory_key("test", &part, 1);
}

static bool has(struct fixture *x, const char *word)
{
	struct memory_key k = key(word);
	bool has;

	scratch_ok(memory_has(x->s.store, &x->a, &k, &has, &e_));
	return has;
}

static void put(struct fixture *x, const char *word, uint64_t until_ms)
{
	struct memory_entry v = {key(word), until_ms};

	scratch_ok(memory_put(x->s.store, &x->a, &v, 1, NULL, &e_));
}

static bool take(struct fixture *x, const char *word, uint64_t until_ms)
{
	struct memory_entry v = {key(word), until_ms};
	bool taken;

	scratch_ok(memory_put(x->s.store, &x->a, &v, 1, &taken, &e_));
	return taken;
}

static void keys_are_of_what_they_are_of(void **state UNUSED)
{
	struct str ab_c[] = {STR("ab"), STR("c")}, a_bc[] = {STR("a"), STR("bc")};
	struct memory_key one = memory_key("x", ab_c, 2), two = memory_key("x", a_bc, 2);
	struct memory_key three = memory_key("y", ab_c, 2);

	assert_int_equal(strlen(one.hex), MEMORY_DIGITS);
	assert_string_not_equal(one.hex, two.hex);
	assert_string_not_equal(one.hex, three.hex);
	assert_string_equal(one.hex, memory_key("x", ab_c, 2).hex);
}

static void what_is_put_is_there_until_its_end(void **state)
{
	struct fixture *x = *state;

	assert_false(has(x, "a"));
	put(x, "a", x->now + HOUR);
	assert_true(has(x, "a"));
	assert_false(has(x, "b"));
	put(x, "a", x->now - 1); /* anew, and it has ended */
	assert_false(has(x, "a"));
	put(x, "c", x->now + HOUR);
	store_close(&x->s.store);
	scratch_ok(store_open(x->s.set, &x->s.store, &e_));
	assert_true(has(x, "c"));
}

static void one_takes_it(void **state)
{
	struct fixture *x = *state;
	struct memory_key k = key("a");

	assert_true(take(x, "a", x->now + HOUR));
	assert_false(take(x, "a", x->now + 2 * HOUR));
	scratch_ok(memory_forget(x->s.store, &x->a, &k, &e_));
	scratch_ok(memory_forget(x->s.store, &x->a, &k, &e_));
	assert_false(has(x, "a"));
	assert_true(take(x, "a", x->now - 1));
	assert_true(take(x, "a", x->now + HOUR)); /* the first one has ended */
}

struct racer {
	pthread_t thread;
	struct fixture *x;
	unsigned taken;
};

static void *race(void *ctx)
{
	struct racer *r = ctx;

	for (int i = 0; i < 10; i++) {
		char word[8];

		snprintf(word, sizeof word, "%d", i);
		r->taken += take(r->x, word, r->x->now + HOUR);
	}
	return NULL;
}

static void of_many_at_once_one_takes_it(void **state)
{
	struct racer r[4];
	unsigned taken = 0;

	for (size_t i = 0; i < countof(r); i++) {
		r[i] = (struct racer){.x = *state};
		assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
	}
	for (size_t i = 0; i < countof(r); i++) {
		pthread_join(r[i].thread, NULL);
		taken += r[i].taken;
	}
	assert_int_equal(taken, 10);
}

static void it_is_bounded(void **state)
{
	struct fixture *x = *state;
	struct memory_entry *v = xalloc((MEMORY_ENTRIES + 1) * sizeof *v);

	for (size_t i = 0; i <= MEMORY_ENTRIES; i++) {
		char word[16];

		snprintf(word, sizeof word, "%zu", i);
		v[i] = (struct memory_entry){key(word), x->now + HOUR + i};
	}
	v[7].until_ms = x->now + HOUR - 1;
	scratch_ok(memory_put(x->s.store, &x->a, v, MEMORY_ENTRIES, NULL, &e_));
	assert_true(has(x, "7"));
	scratch_ok(memory_put(x->s.store, &x->a, &v[MEMORY_ENTRIES], 1, NULL, &e_));
	assert_false(has(x, "7"));
	assert_true(has(x, "0"));
	assert_true(has(x, "1000"));
	xfree(&v);
}

static void it_ends_with_the_account(void **state)
{
	struct fixture *x = *state;
	struct memory_entry v = {key("a"), x->now + HOUR};
	struct scratch_path at = scratch_place("accounts", alice, "memory");
	struct buf old;
	struct err e;

	buf_init(&old, 4096);
	put(x, "a", x->now + HOUR);
	scratch_read(&x->s, at.s, &old);
	scratch_ok(account_delete(x->s.store, &x->a.name, &e_));
	assert_false(scratch_exists(&x->s, scratch_place("accounts", alice, NULL).s));
	assert_int_equal(memory_put(x->s.store, &x->a, &v, 1, NULL, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_false(scratch_exists(&x->s, scratch_place("accounts", alice, NULL).s));
	x->a = scratch_account(&x->s, alice);
	assert_false(has(x, "a"));
	/* One that was put back from a backup is the first account's. */
	scratch_write(&x->s, at.s, buf_str(&old));
	assert_false(has(x, "a"));
	assert_true(take(x, "a", x->now + HOUR));
	buf_fini(&old);
}

/* As for who waited for its lock while the account was deleted. */
static void where_no_directory_is_nothing_is_made(void **state)
{
	struct fixture *x = *state;
	bool removed = true;

	scratch_ok(account_delete(x->s.store, &x->a.name, &e_));
	scratch_ok(memory_mend(x->s.store, &x->a, &removed, &e_));
	assert_false(removed);
	assert_int_equal(scratch_check(&x->s, false, &(struct check_finding){0}).findings,
			 0);
}

static void damage_is_named_and_taken_away(void **state)
{
	struct fixture *x = *state;
	struct scratch_path at = scratch_place("accounts", alice, "memory");
	struct memory_entry v = {key("a"), x->now + HOUR};
	struct check_finding last;
	struct err e;
	bool found;

	put(x, "a", x->now + HOUR);
	assert_int_equal(scratch_check(&x->s, false, &last).findings, 0);
	scratch_flip(&x->s, at.s, 60);
	assert_int_equal(memory_has(x->s.store, &x->a, &v.key, &found, &e), -1);
	assert_int_equal(memory_put(x->s.store, &x->a, &v, 1, NULL, &e), -1);
	assert_int_equal(scratch_check(&x->s, false, &last).findings, 1);
	assert_string_equal(last.invariant, "I21");
	assert_false(last.repaired);
	assert_int_equal(scratch_check(&x->s, true, &last).findings, 1);
	assert_true(last.repaired);
	assert_false(scratch_exists(&x->s, at.s));
	assert_int_equal(scratch_check(&x->s, false, &last).findings, 0);
	/* A file that was begun when the power went is an empty memory. */
	scratch_write(&x->s, at.s, (struct str){"\0\0\0", 3});
	assert_int_equal(scratch_check(&x->s, false, &last).findings, 0);
	assert_false(has(x, "a"));
	put(x, "a", x->now + HOUR);
	assert_true(has(x, "a"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(keys_are_of_what_they_are_of),
		T(what_is_put_is_there_until_its_end),
		T(one_takes_it),
		T(of_many_at_once_one_takes_it),
		T(it_is_bounded),
		T(it_ends_with_the_account),
		T(where_no_directory_is_nothing_is_made),
		T(damage_is_named_and_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
