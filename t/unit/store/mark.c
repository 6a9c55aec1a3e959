/* SPDX-License-Identifier: ISC */
#include "store/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "store/check.h"
#include "t/unit/store/scratch.h"

static const char *const marks[][2] = {
	{"store/popstore", "store/popstore.copy"},
	{"v1/volume", "v1/volume.copy"},
};

/* ---- damage ------------------------------------------------------------------ */

enum damage { FLIPPED, ZEROED, CUT, EMPTY, REMOVED, DAMAGES };

static void damage(struct scratch *s, const char *below, enum damage how)
{
	struct buf text;

	buf_init(&text, 4096);
	scratch_read(s, below, &text);
	if (how == ZEROED)
		memset(text.p, 0, text.n);
	else if (how == FLIPPED)
		text.p[25] ^= 1;
	else if (how == CUT)
		text.n /= 2;
	else
		text.n = 0;
	if (how == REMOVED)
		assert_int_equal(unlink(scratch_path(s, below).s), 0);
	else
		scratch_write(s, below, buf_str(&text));
	buf_fini(&text);
}

/* exchange - the octets of two files */
static void exchange(struct scratch *s, const char *one, const char *other)
{
	assert_int_equal(rename(scratch_path(s, one).s, scratch_path(s, "third").s), 0);
	assert_int_equal(rename(scratch_path(s, other).s, scratch_path(s, one).s), 0);
	assert_int_equal(rename(scratch_path(s, "third").s, scratch_path(s, other).s), 0);
}

static bool same(struct scratch *s, const char *const pair[2])
{
	struct buf one, other;

	buf_init(&one, 4096);
	buf_init(&other, 4096);
	scratch_read(s, pair[0], &one);
	scratch_read(s, pair[1], &other);

	bool yes = str_eq(buf_str(&one), buf_str(&other));

	buf_fini(&one);
	buf_fini(&other);
	return yes;
}

static int open_store(struct scratch *s, struct err *e)
{
	*e = (struct err){0};
	store_close(&s->store);
	return store_open(s->set, &s->store, e);
}

static struct check_finding last;

static void keep(const struct check_finding *f, void *ctx UNUSED)
{
	last = *f;
}

static struct check_result check(struct scratch *s, bool repair)
{
	struct check_options o = {.repair = repair, .finding = keep};
	struct check_result r;

	last = (struct check_finding){0};
	scratch_ok(check_run(s->store, &o, &r, &e_));
	return r;
}

/* ---- the rows ------------------------------------------------------------------- */

static void one_of_the_two_is_enough(void **state UNUSED)
{
	struct check_result r;
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	for (size_t i = 0; i < countof(marks) * 2; i++) {
		const char *victim = marks[i / 2][i % 2];

		for (enum damage how = 0; how < DAMAGES; how++) {
			damage(&s, victim, how);
			assert_int_equal(open_store(&s, &e), 0);
			assert_non_null(store_volume(s.store, 1));
			r = check(&s, false);
			assert_int_equal(r.findings, 1);
			assert_string_equal(last.invariant, "I1");
			assert_non_null(strstr(last.what, strrchr(victim, '/') + 1));
			r = check(&s, true);
			assert_int_equal(r.findings, 1);
			assert_int_equal(r.repaired, 1);
			assert_true(same(&s, marks[i / 2]));
			assert_int_equal(check(&s, false).findings, 0);
		}
	}
	scratch_end(&s);
}

static void two_damaged_ones_are_refused(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	for (size_t i = 0; i < countof(marks); i++) {
		damage(&s, marks[i][0], FLIPPED);
		damage(&s, marks[i][1], FLIPPED);
		assert_int_equal(open_store(&s, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_non_null(strstr(e.text, strrchr(marks[i][0], '/') + 1));
		assert_non_null(strstr(e.text, strrchr(marks[i][1], '/') + 1));
		assert_non_null(strstr(e.text, "from a backup"));
		assert_non_null(
			strstr(e.text, i == 0 ? "remove both and run `popstore init`"
					      : "as doc/STORE.md, section 4, says"));
		assert_int_equal(store_init(s.set, &e), -1);
		damage(&s, marks[i][0], FLIPPED);
		damage(&s, marks[i][1], REMOVED);
		damage(&s, marks[i][0], FLIPPED);
		assert_int_equal(open_store(&s, &e), -1);
		assert_int_equal(store_init(s.set, &e), -1);
		damage(&s, marks[i][0], FLIPPED);
		scratch_ok(open_store(&s, &e_));
		assert_int_equal(check(&s, true).repaired, 1);
	}
	scratch_end(&s);
}

static void exchanged_marks_are_refused(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1, %s/v2}", "");
	exchange(&s, "v1/volume", "v2/volume");
	assert_int_equal(open_store(&s, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_non_null(strstr(e.text, "v1: volume and volume.copy are of different "
				       "volumes"));
	assert_int_equal(store_init(s.set, &e), -1);
	/* what the sentence says helps */
	assert_int_equal(unlink(scratch_path(&s, "v1/volume").s), 0);
	assert_int_equal(unlink(scratch_path(&s, "v2/volume").s), 0);
	assert_int_equal(open_store(&s, &e), 0);
	assert_int_equal(check(&s, true).repaired, 2);
	assert_string_equal(storage_name(store_volume(s.store, 1)->storage),
			    scratch_path(&s, "v1").s);
	scratch_end(&s);
}

static void a_mark_of_a_later_program_is_refused(void **state UNUSED)
{
	struct scratch s;
	struct buf text;
	struct err e;

	scratch_begin_with(&s, "", "");
	buf_init(&text, 4096);
	scratch_read(&s, "store/popstore", &text);
	text.p[sizeof "popstore-root " - 1] = '2';
	buf_cut(&text, text.n - 17);
	buf_printf(&text, "%016llx\n",
		   (unsigned long long)XXH3_64bits(text.p, text.n - 4));
	scratch_write(&s, "store/popstore", buf_str(&text));
	buf_fini(&text);
	assert_int_equal(open_store(&s, &e), -1);
	assert_non_null(strstr(e.text, "has version 2"));
	scratch_end(&s);
}

/* ---- stores that were made before, and halfway ------------------------------------- */

static void a_store_without_copies_opens_and_gets_them(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	damage(&s, marks[0][1], REMOVED);
	damage(&s, marks[1][1], REMOVED);
	scratch_ok(open_store(&s, &e_));
	scratch_ok(store_init(s.set, &e_));
	assert_true(same(&s, marks[0]));
	assert_true(same(&s, marks[1]));
	assert_int_equal(store_init(s.set, &e), -1);
	assert_non_null(strstr(e.text, "is a popstore already"));
	assert_int_equal(check(&s, false).findings, 0);
	scratch_end(&s);
}

static void what_init_left_behind_disturbs_nobody(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	scratch_write(&s, "store/popstore.begun", STR("nonsense"));
	scratch_ok(open_store(&s, &e_));
	assert_int_equal(check(&s, false).findings, 0);
	damage(&s, marks[0][0], REMOVED);
	scratch_ok(store_init(s.set, &e_));
	assert_false(scratch_exists(&s, "store/popstore.begun"));
	assert_true(same(&s, marks[0]));

	/* Without a mark it would have counted. */
	damage(&s, marks[0][0], REMOVED);
	damage(&s, marks[0][1], REMOVED);
	scratch_write(&s, "store/popstore.begun", STR("nonsense"));
	assert_int_equal(store_init(s.set, &e), -1);
	assert_non_null(strstr(e.text, "remove it, and run `popstore init` again"));
	assert_int_equal(unlink(scratch_path(&s, "store/popstore.begun").s), 0);
	scratch_ok(store_init(s.set, &e_));
	scratch_ok(open_store(&s, &e_));
	assert_non_null(store_volume(s.store, 1));
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_the_two_is_enough),
		cmocka_unit_test(two_damaged_ones_are_refused),
		cmocka_unit_test(exchanged_marks_are_refused),
		cmocka_unit_test(a_mark_of_a_later_program_is_refused),
		cmocka_unit_test(a_store_without_copies_opens_and_gets_them),
		cmocka_unit_test(what_init_left_behind_disturbs_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
