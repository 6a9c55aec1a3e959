/* SPDX-License-Identifier: ISC */
/* Records that are kept, and the changes that end it. */
#include "store/known.h"

#include "store/storage_engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
	char dir[32];
	struct storage *st;
	struct known *known;
	struct err e;
};

/* What a record is made to here. */
struct value {
	struct name name;
	char text[16];
};

static int parse(struct str text, const struct name *name, const char *path, void *out,
		 struct err *e)
{
	struct value *v = out;

	assert_string_equal(name->s, path);
	if (str_eq(text, STR("damaged")))
		return err_set(e, ERR_TEMP, "4.3.0", "damaged");
	v->name = *name;
	snprintf(v->text, sizeof v->text, STR_FMT, STR_ARG(text));
	return 0;
}

static void begin(struct rig *r)
{
	*r = (struct rig){.dir = "/tmp/popstore-unit-XXXXXX",
			  .known = known_new(1024, sizeof(struct value), parse)};
	assert_non_null(mkdtemp(r->dir));
	assert_int_equal(storage_open(r->dir, &r->st, &r->e), 0);
}

static void end(struct rig *r)
{
	known_free(&r->known);
	assert_int_equal(storage_remove_tree(r->st, "t", &r->e), 0);
	storage_close(&r->st);
	assert_int_equal(rmdir(r->dir), 0);
}

static void put(struct rig *r, const char *path, const char *text)
{
	assert_int_equal(storage_put(r->st, path, str_of(text), 0, NULL, &r->e), 0);
}

/* grow_old - as far as a stamp goes that is what the object has to be.  Its ctime cannot be
 * set, so this waits for the clock. */
static void grow_old(struct rig *r, const char *path)
{
	uint64_t stamp = 0;
	bool found;

	while (stamp == 0) {
		usleep(20000);
		assert_int_equal(storage_stamp(r->st, path, &stamp, &found, &r->e), 0);
		assert_true(found);
	}
}

static int find(struct rig *r, const char *path, struct value *v, bool *found)
{
	struct name name;

	snprintf(name.s, sizeof name.s, "%s", path);
	return known_find(r->known, r->st, &name, path, v, found, &r->e);
}

static void expect(struct rig *r, const char *path, const char *want)
{
	struct value v = {.text = ""};
	bool found;

	assert_int_equal(find(r, path, &v, &found), 0);
	assert_int_equal(found, want != NULL);
	assert_string_equal(v.text, want ? want : "");
	assert_string_equal(v.name.s, want ? path : "");
}

static void what_is_there_now_is_read(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	expect(&r, "t/a", NULL);
	put(&r, "t/a", "one");
	expect(&r, "t/a", "one");
	put(&r, "t/a", "two"); /* too young to be kept */
	expect(&r, "t/a", "two");
	grow_old(&r, "t/a");
	for (int i = 0; i < 3; i++)
		expect(&r, "t/a", "two");
	put(&r, "t/a", "six"); /* as long */
	expect(&r, "t/a", "six");
	assert_int_equal(storage_remove(r.st, "t/a", 0, &r.e), 0);
	expect(&r, "t/a", NULL);
	end(&r);
}

/* All of them fall to one place. */
static void a_place_has_one_at_a_time(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	known_free(&r.known);
	r.known = known_new(1, sizeof(struct value), parse);
	put(&r, "t/a", "one");
	put(&r, "t/b", "two");
	grow_old(&r, "t/b");
	for (int i = 0; i < 3; i++) {
		expect(&r, "t/a", "one");
		expect(&r, "t/b", "two");
		expect(&r, "t/b", "two");
	}
	end(&r);
}

static void damage_is_not_kept(void **state)
{
	struct value v;
	struct rig r;
	bool found;

	(void)state;
	begin(&r);
	put(&r, "t/a", "damaged");
	grow_old(&r, "t/a");
	for (int i = 0; i < 3; i++)
		assert_int_equal(find(&r, "t/a", &v, &found), -1);
	put(&r, "t/a", "one");
	expect(&r, "t/a", "one");
	end(&r);
}

/* ---- an engine that counts ---------------------------------------------------------- */

static int reads;

static int count_read(struct storage *st, const char *path, struct buf *out, bool *found,
		      struct err *e)
{
	reads++;
	return storage_posix.read(st, path, out, found, e);
}

static void what_is_kept_is_not_read_again(void **state)
{
	static struct storage_engine counting;
	struct storage *st;
	char place[64];
	struct rig r;

	(void)state;
	counting = storage_posix;
	counting.scheme = "counting";
	counting.read = count_read;
	storage_add_engine(&counting);
	begin(&r);
	snprintf(place, sizeof place, "counting:%s", r.dir);
	st = r.st;
	assert_int_equal(storage_open(place, &r.st, &r.e), 0);
	storage_close(&st);
	put(&r, "t/a", "one");
	grow_old(&r, "t/a");
	for (int i = 0; i < 10; i++)
		expect(&r, "t/a", "one");
	assert_int_equal(reads, 1);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_now_is_read),
		cmocka_unit_test(a_place_has_one_at_a_time),
		cmocka_unit_test(damage_is_not_kept),
		cmocka_unit_test(what_is_kept_is_not_read_again),
	};

	return cmocka_run_group_tests_name("store/known", tests, NULL, NULL);
}
