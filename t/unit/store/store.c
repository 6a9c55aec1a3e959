/* SPDX-License-Identifier: ISC */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/check.h"
#include "store/id.h"
#include "t/unit/store/scratch.h"

static const char letter[] = "Subject: x\r\n\r\nx\r\n.\r\n";

/* again - the same directories under another configuration */
static void again(struct scratch *s, const char *store)
{
	store_close(&s->store);
	scratch_configure(s, store, "");
}

static int open_store(struct scratch *s, struct err *e)
{
	*e = (struct err){0};
	return store_open(s->set, &s->store, e);
}

/* ---- making --------------------------------------------------------------------------- */

static void is_made_once(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_settings(&s, "", "");
	assert_int_equal(open_store(&s, &e), -1);
	assert_null(s.store);
	scratch_ok(store_init(s.set, &e_));
	scratch_ok(store_open(s.set, &s.store, &e_));
	assert_ptr_equal(store_settings(s.store), s.set);
	assert_int_equal(store_init(s.set, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_non_null(strstr(e.text, "is a popstore already"));
	scratch_end(&s);
}

static void an_empty_directory_is_no_store(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_settings(&s, "", "");
	assert_int_equal(mkdir(scratch_path(&s, "store").s, 0700), 0);
	assert_int_equal(open_store(&s, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "is its disk mounted?"));
	assert_false(scratch_exists(&s, "store/writers"));
	scratch_end(&s);
}

/* lose_marks - a mark and its copy */
static void lose_marks(struct scratch *s, const char *first)
{
	char copy[64];

	snprintf(copy, sizeof copy, "%s.copy", first);
	assert_int_equal(unlink(scratch_path(s, first).s), 0);
	assert_int_equal(unlink(scratch_path(s, copy).s), 0);
}

static void what_a_cut_init_left_is_completed(void **state UNUSED)
{
	struct scratch s;

	scratch_begin_with(&s, "volumes = {%s/v1, %s/v2}", "");
	store_close(&s.store);
	assert_int_equal(rename(scratch_path(&s, "store/popstore").s,
				scratch_path(&s, "store/popstore.begun").s),
			 0);
	assert_int_equal(unlink(scratch_path(&s, "store/popstore.copy").s), 0);
	lose_marks(&s, "v1/volume");
	lose_marks(&s, "v2/volume");
	scratch_ok(store_init(s.set, &e_));
	scratch_ok(store_open(s.set, &s.store, &e_));
	/* numbers once taken stay taken */
	assert_non_null(store_volume(s.store, 3));
	assert_non_null(store_volume(s.store, 4));
	assert_null(store_volume(s.store, 1));
	scratch_end(&s);
}

/* ---- volumes ---------------------------------------------------------------------------- */

static unsigned volume_of(struct scratch *s, const char *below)
{
	for (unsigned n = 1; n < 10; n++) {
		struct volume *v = store_volume(s->store, n);

		if (v != NULL &&
		    strcmp(storage_name(v->storage), scratch_path(s, below).s) == 0)
			return n;
	}
	return 0;
}

static void volumes_keep_their_numbers(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1, %s/v2}", "");
	assert_int_equal(volume_of(&s, "v1"), 1);
	assert_int_equal(volume_of(&s, "v2"), 2);
	again(&s, "volumes = {%s/v2, %s/v1}");
	scratch_ok(store_open(s.set, &s.store, &e_));
	assert_int_equal(volume_of(&s, "v1"), 1);
	assert_int_equal(volume_of(&s, "v2"), 2);

	/* A new one must be made; a removed one leaves its number. */
	again(&s, "volumes = {%s/v3, %s/v2}");
	assert_int_equal(open_store(&s, &e), -1);
	scratch_ok(store_init(s.set, &e_));
	scratch_ok(store_open(s.set, &s.store, &e_));
	assert_int_equal(volume_of(&s, "v3"), 3);
	assert_int_equal(volume_of(&s, "v2"), 2);
	assert_null(store_volume(s.store, 1));
	scratch_end(&s);
}

/* A message on a volume that is away can be removed, but its slot not let go: what the
 * maildrop says of it is not forgotten, and it stays removed when the volume is back. */
static void removed_stays_removed_while_a_volume_is_away(void **state UNUSED)
{
	struct check_options mend = {.repair = true};
	struct check_result r;
	struct account alice;
	struct maildrop *m;
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1, %s/v2}", "");
	alice = scratch_account(&s, "alice@example.org");
	for (int i = 0; i < 100; i++) /* more than compaction leaves alone */
		scratch_deliver(&s, &alice, letter);
	again(&s, "volumes = {%s/v1}");
	scratch_ok(store_open(s.set, &s.store, &e_));
	scratch_ok(check_run(s.store, &mend, &r, &e_));
	assert_int_equal(r.findings, 50);
	assert_int_equal(r.repaired, 0);
	scratch_ok(maildrop_open(s.store, &alice, &m, &e_));
	assert_int_equal(maildrop_count(m), 100);
	for (size_t i = 0; i < 100; i++)
		maildrop_entry(m, i)->removed = true;
	assert_int_equal(maildrop_commit(m, &e), 0);
	assert_int_equal(e.class, ERR_TEMP); /* half of them could not be let go */
	maildrop_close(&m);

	again(&s, "volumes = {%s/v1, %s/v2}");
	scratch_ok(store_open(s.set, &s.store, &e_));
	scratch_ok(check_run(s.store, &mend, &r, &e_));
	assert_int_equal(r.repaired, 50);
	assert_int_equal(scratch_count(&s, &alice), 0);
	scratch_end(&s);
}

static void a_volume_that_is_not_mounted_is_refused(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	store_close(&s.store);
	assert_int_equal(
		rename(scratch_path(&s, "v1").s, scratch_path(&s, "elsewhere").s), 0);
	assert_int_equal(mkdir(scratch_path(&s, "v1").s, 0700), 0);
	assert_int_equal(open_store(&s, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "has no volume mark: is its disk mounted?"));
	assert_int_equal(rmdir(scratch_path(&s, "v1").s), 0);
	assert_int_equal(open_store(&s, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "v1: No such file or directory: is its disk"));
	assert_non_null(strstr(e.text, "starts without it when store.volumes does not"));
	/* and so it does */
	scratch_configure(&s, "", "");
	assert_int_equal(open_store(&s, &e), 0);
	scratch_end(&s);
}

static void anothers_volume_is_refused(void **state UNUSED)
{
	struct scratch s, t;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	scratch_begin_with(&t, "volumes = {%s/v1}", "");
	store_close(&s.store);
	assert_int_equal(
		rename(scratch_path(&s, "v1").s, scratch_path(&s, "elsewhere").s), 0);
	assert_int_equal(rename(scratch_path(&t, "v1").s, scratch_path(&s, "v1").s), 0);
	assert_int_equal(open_store(&s, &e), -1);
	assert_non_null(strstr(e.text, "belongs to another store"));
	assert_int_equal(store_init(s.set, &e), -1);
	assert_non_null(strstr(e.text, "belongs to another store"));
	scratch_end(&s);
	scratch_end(&t);
}

static void one_volume_twice_is_refused(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	assert_int_equal(symlink("v1", scratch_path(&s, "v2").s), 0);
	again(&s, "volumes = {%s/v1, %s/v2}");
	assert_int_equal(open_store(&s, &e), -1);
	assert_non_null(strstr(e.text, "is the same volume as"));
	scratch_end(&s);
}

static void a_number_is_not_given_twice_though_its_record_is_lost(void **state UNUSED)
{
	struct scratch s;

	scratch_begin_with(&s, "volumes = {%s/v1, %s/v2}", "");
	again(&s, "volumes = {%s/v3, %s/v1, %s/v2}");
	assert_int_equal(unlink(scratch_path(&s, "store/volumes/1").s), 0);
	scratch_flip(&s, "store/volumes/2", 30);
	scratch_ok(store_init(s.set, &e_));
	scratch_ok(store_open(s.set, &s.store, &e_));
	assert_int_equal(volume_of(&s, "v1"), 1);
	assert_int_equal(volume_of(&s, "v2"), 2);
	assert_int_equal(volume_of(&s, "v3"), 3);
	scratch_end(&s);
}

/* Its messages would all be looked for under another number. */
static void a_volume_that_lost_its_marks_gets_no_new_number(void **state UNUSED)
{
	struct account alice;
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	alice = scratch_account(&s, "alice@example.org");
	scratch_deliver(&s, &alice, letter);
	store_close(&s.store);
	lose_marks(&s, "v1/volume");
	assert_int_equal(open_store(&s, &e), -1);
	assert_int_equal(store_init(s.set, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_non_null(strstr(e.text, "has lost its volume mark, and holds messages"));
	scratch_end(&s);
}

static void a_root_that_lost_its_marks_gets_its_id_back(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	store_close(&s.store);
	lose_marks(&s, "store/popstore");
	assert_int_equal(open_store(&s, &e), -1);
	assert_non_null(strstr(e.text, "is no popstore: is its disk mounted?"));
	scratch_ok(store_init(s.set, &e_));
	scratch_ok(store_open(s.set, &s.store, &e_));
	assert_int_equal(volume_of(&s, "v1"), 1);
	scratch_end(&s);
}

/* It would be made another store than they belong to. */
static void a_root_without_mark_and_volumes_is_refused(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	again(&s, "");
	lose_marks(&s, "store/popstore");
	assert_int_equal(store_init(s.set, &e), -1);
	assert_non_null(strstr(e.text, "has lost its mark, and no volume tells"));
	assert_false(scratch_exists(&s, "store/popstore.begun"));
	scratch_end(&s);
}

/* It is the directory under a disk that is not mounted. */
static void another_root_does_not_get_the_volumes(void **state UNUSED)
{
	struct scratch s;
	struct err e;

	scratch_begin_with(&s, "volumes = {%s/v1}", "");
	store_close(&s.store);
	assert_int_equal(
		rename(scratch_path(&s, "store").s, scratch_path(&s, "elsewhere").s), 0);
	assert_int_equal(store_init(s.set, &e), -1);
	assert_non_null(strstr(e.text, "v1 belongs to another store"));
	scratch_end(&s);
}

static void messages_go_to_the_volumes_in_turn(void **state UNUSED)
{
	struct scratch s;
	struct account a;
	struct maildrop *m;
	size_t on[4] = {0};

	scratch_begin_with(&s, "volumes = {%s/v1, %s/v2, %s/v3}", "");
	a = scratch_account(&s, "alice@example.org");
	for (int i = 0; i < 9; i++)
		scratch_deliver(&s, &a, letter);
	scratch_ok(maildrop_look(s.store, &a, &m, &e_));
	assert_int_equal(maildrop_count(m), 9);
	for (size_t i = 0; i < 9; i++) {
		const struct maildrop_entry *en = maildrop_entry(m, i);
		char path[80];

		assert_true(en->volume >= 1 && en->volume <= 3);
		on[en->volume]++;
		snprintf(path, sizeof path, "v%u/%s", (unsigned)en->volume,
			 message_path(en->id).s);
		assert_true(scratch_exists(&s, path));
	}
	assert_int_equal(on[1], 3);
	assert_int_equal(on[2], 3);
	assert_int_equal(on[3], 3);
	maildrop_close(&m);
	assert_false(scratch_exists(&s, "store/messages"));
	scratch_end(&s);
}

/* A store begun without volumes gets some: what is in the root is still read. */
static void what_is_in_the_root_stays_readable(void **state UNUSED)
{
	struct scratch s;
	struct account a;
	struct maildrop *m;
	struct message *msg;
	uint64_t old, new;

	scratch_begin_with(&s, "", "");
	a = scratch_account(&s, "alice@example.org");
	old = scratch_deliver(&s, &a, letter);
	assert_true(scratch_exists(&s, scratch_message(old).s));
	again(&s, "volumes = {%s/v1}");
	scratch_ok(store_init(s.set, &e_));
	scratch_ok(store_open(s.set, &s.store, &e_));
	new = scratch_deliver(&s, &a, letter);
	assert_false(scratch_exists(&s, scratch_message(new).s));
	scratch_ok(maildrop_look(s.store, &a, &m, &e_));
	assert_int_equal(maildrop_entry(m, 0)->volume, 0);
	assert_int_equal(maildrop_entry(m, 1)->volume, 1);
	scratch_ok(message_open(s.store, 0, old, &msg, &e_));
	assert_non_null(msg);
	message_close(&msg);
	maildrop_close(&m);
	scratch_end(&s);
}

/* ---- the end of a process ----------------------------------------------------------------- */

static void a_clean_end_leaves_nothing_to_recover(void **state UNUSED)
{
	struct store_recovery r;
	struct scratch s;
	struct account a;

	scratch_begin_with(&s, "", "");
	a = scratch_account(&s, "alice@example.org");
	scratch_deliver(&s, &a, letter);
	store_close(&s.store);
	assert_null(s.store);
	store_close(&s.store);
	scratch_ok(store_open(s.set, &s.store, &e_));
	scratch_ok(store_recover(s.store, &r, &e_));
	assert_int_equal(r.writers, 0);
	assert_int_equal(r.messages, 0);
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_made_once),
		cmocka_unit_test(an_empty_directory_is_no_store),
		cmocka_unit_test(what_a_cut_init_left_is_completed),
		cmocka_unit_test(volumes_keep_their_numbers),
		cmocka_unit_test(removed_stays_removed_while_a_volume_is_away),
		cmocka_unit_test(a_volume_that_is_not_mounted_is_refused),
		cmocka_unit_test(anothers_volume_is_refused),
		cmocka_unit_test(one_volume_twice_is_refused),
		cmocka_unit_test(a_number_is_not_given_twice_though_its_record_is_lost),
		cmocka_unit_test(a_volume_that_lost_its_marks_gets_no_new_number),
		cmocka_unit_test(a_root_that_lost_its_marks_gets_its_id_back),
		cmocka_unit_test(a_root_without_mark_and_volumes_is_refused),
		cmocka_unit_test(another_root_does_not_get_the_volumes),
		cmocka_unit_test(messages_go_to_the_volumes_in_turn),
		cmocka_unit_test(what_is_in_the_root_stays_readable),
		cmocka_unit_test(a_clean_end_leaves_nothing_to_recover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
