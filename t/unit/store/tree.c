/* SPDX-License-Identifier: ISC */
#include "store/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "t/unit/store/scratch.h"

enum { PLACES = 6 };

/* In the order of a walk; of directories that are not two wide nothing is seen. */
static const char *const places[PLACES] = {"00/07/b", "00/07/c", "00/ff/a",
					   "7f/00/x", "7f/00/y", "ff/00/a"};

struct seen {
	char place[PLACES][PLACE_OCTETS];
	unsigned share[PLACES];
	size_t n, stop;
};

static int see(const struct tree_at *at, bool *more, void *ctx,
	       struct err *e __attribute__((unused)))
{
	struct seen *s = ctx;

	assert_true(s->n < PLACES);
	assert_string_equal(at->component, strrchr(at->place, '/') + 1);
	snprintf(s->place[s->n], sizeof *s->place, "%s", at->place);
	s->share[s->n++] = at->share;
	*more = s->n != s->stop;
	return 0;
}

static struct seen walk(struct scratch *s, const char *after, size_t stop)
{
	struct seen seen = {.stop = stop};
	struct tree_walk w = {
		store_root(s->store), "wood", {2, 2}, after, see, NULL, &seen};

	scratch_ok(tree_walk(&w, &e_));
	return seen;
}

static void put(struct scratch *s, const char *place)
{
	char path[PLACE_OCTETS];

	snprintf(path, sizeof path, "wood/%s", place);
	scratch_ok(storage_put(store_root(s->store), path, STR("x"), 0, NULL, &e_));
}

static void plant(struct scratch *s)
{
	for (size_t i = PLACES; i-- > 0;)
		put(s, places[i]);
	put(s, "000/07/no");
	put(s, "00/7/no");
	put(s, "00/lost");
}

static void places_come_in_order(void **state)
{
	struct scratch *s = *state;
	struct seen seen;

	assert_int_equal(walk(s, NULL, 0).n, 0);
	plant(s);
	seen = walk(s, NULL, 0);
	assert_int_equal(seen.n, PLACES);
	for (size_t i = 0; i < PLACES; i++)
		assert_string_equal(seen.place[i], places[i]);
	assert_int_equal(seen.share[0], 0);
	assert_int_equal(seen.share[2], TREE_WHOLE / 6);
	assert_int_equal(seen.share[5], TREE_WHOLE * 2 / 3);
	for (size_t i = 1; i < PLACES; i++)
		assert_true(seen.share[i - 1] < seen.share[i]);
}

/* Wherever it was stopped, also where what it had reached is gone meanwhile. */
static void a_walk_goes_on_where_another_stopped(void **state)
{
	static const struct {
		const char *after;
		size_t first;
	} gone[] = {{"", 0},        {"00", 0},      {"00/07/bb", 1}, {"00/08/a", 2},
		    {"42/00/a", 3}, {"7f/00/z", 5}, {"ff/00/b", 6},  {"zz", 6}};
	struct scratch *s = *state;

	plant(s);
	for (size_t stop = 1; stop <= PLACES; stop++) {
		struct seen first = walk(s, NULL, stop), rest;

		assert_int_equal(first.n, stop);
		rest = walk(s, first.place[stop - 1], 0);
		assert_int_equal(rest.n, PLACES - stop);
		for (size_t i = 0; i < rest.n; i++)
			assert_string_equal(rest.place[i], places[stop + i]);
	}
	for (size_t i = 0; i < countof(gone); i++)
		assert_int_equal(walk(s, gone[i].after, 0).n, PLACES - gone[i].first);
}

static int fail_at_once(const struct tree_at *at, bool *more, void *ctx, struct err *e)
{
	(void)at;
	(void)more;
	(void)ctx;
	return err_set(e, ERR_TEMP, "4.3.0", "no");
}

static void an_error_ends_it(void **state)
{
	struct scratch *s = *state;
	struct tree_walk w = {store_root(s->store), "wood", {2, 2}, NULL,
			      fail_at_once,         NULL,   NULL};
	struct err e;

	plant(s);
	assert_int_equal(tree_walk(&w, &e), -1);
	assert_string_equal(e.text, "no");
	/* A directory that is none is not taken for an empty one. */
	scratch_write(s, "store/wood/01", STR(""));
	assert_int_equal(tree_walk(&w, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(places_come_in_order, scratch_start,
						scratch_stop),
		cmocka_unit_test_setup_teardown(a_walk_goes_on_where_another_stopped,
						scratch_start, scratch_stop),
		cmocka_unit_test_setup_teardown(an_error_ends_it, scratch_start,
						scratch_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
