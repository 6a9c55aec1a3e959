/* SPDX-License-Identifier: ISC */
#include "store/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/account_int.h"
#include "t/unit/store/scratch.h"

static const char letter[] = "Subject: x\r\n\r\n..x\r\n.\r\n";
static const struct delivery_totals totals = {14 + 4, 14};
static const char alice_work[] = "alice/work@example.org";

struct fixture {
	struct scratch s;
	struct account alice, bob;
	struct check_finding last;
};

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "sieve { max_folders = 3 }");
	x->alice = scratch_account(&x->s, "alice@example.org");
	x->bob = scratch_account(&x->s, "bob@example.org");
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	scratch_end(&x->s);
	xfree(state);
	return 0;
}

static struct account make(struct fixture *x, const struct account *a, const char *folder)
{
	struct account out;
	const char *why;

	scratch_ok(folder_make(x->s.store, a, str_of(folder), &out, &why, &e_));
	if (why != NULL)
		fail_msg("%s: %s", folder, why);
	return out;
}

static const char *refusal(struct fixture *x, const struct account *a, const char *folder)
{
	struct account out;
	const char *why;

	scratch_ok(folder_make(x->s.store, a, str_of(folder), &out, &why, &e_));
	return why ? why : "none";
}

static bool find(struct fixture *x, const char *name, struct account *out)
{
	struct name n;
	bool found;

	assert_true(name_read(str_of(name), &n));
	scratch_ok(account_find(x->s.store, &n, out, &found, &e_));
	return found;
}

/* begin - a delivery to alice, ready to be filed */
static struct delivery *begin(struct fixture *x)
{
	struct delivery *d =
		delivery_begin(x->s.store, STR("sender@example.com"), STR("unit"));

	delivery_rcpt(d, &x->alice, STR("X-Trace: a b\r\n"));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	return d;
}

/* file - into alice's folder "work", and kept or not */
static uint64_t file(struct fixture *x, bool keep)
{
	struct account work = make(x, &x->alice, "Work");
	struct delivery *d = begin(x);
	uint64_t id = delivery_id(d);
	struct err why;

	assert_true(delivery_file_into(d, 0, &work));
	assert_true(delivery_file_into(d, 0, &work)); /* once */
	if (!keep)
		delivery_leave_out(d, 0, VERDICT_OK, NULL);
	assert_int_equal(delivery_recipients(d), 1);
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(delivery_result(d, 0, &why), VERDICT_OK);
	assert_int_equal(delivery_first_id(d, 0), 0);
	delivery_end(&d);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	return id;
}

static size_t count(struct fixture *x, const char *name)
{
	struct account a;
	uint64_t messages, octets;

	if (!find(x, name, &a))
		return 0;
	scratch_ok(maildrop_totals(x->s.store, &a, &messages, &octets, &e_));
	return messages;
}

static bool message_is_there(struct fixture *x, uint64_t id)
{
	return scratch_exists(&x->s, scratch_message(id).s);
}

/* ---- names --------------------------------------------------------------------------- */

static void some_names_are_none(void **state)
{
	static const struct {
		struct str name;
		const char *wrong;
	} rows[] = {
		{STR_INIT("work"), NULL},
		{STR_INIT("B\xc3\xbcro K\xc3\xb6ln"), NULL},
		{STR_INIT(".."), NULL},
		{STR_INIT("a@b+c%2f\\\""), NULL},
		{STR_INIT(""), "it is empty"},
		{STR_INIT("a/b"), "it has a slash"},
		{STR_INIT("\xff"), "it is not well-formed UTF-8"},
		{STR_INIT("a\tb"), "it has a control character"},
		{STR_INIT("a\0b"), "it has a control character"},
		{STR_INIT("a\x7f"), "it has a control character"},
		{STR_INIT("a\xc2\x85"), "it has a control character"},
		{STR_INIT("a\xe2\x80\xa8"), "it has a control character"},
	};
	char longest[NAME_FOLDER_MAX + 2];

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		const char *wrong = name_folder_wrong(rows[i].name);

		print_message("# row %zu\n", i);
		if (rows[i].wrong == NULL)
			assert_null(wrong);
		else
			assert_string_equal(wrong, rows[i].wrong);
	}
	memset(longest, 'x', sizeof longest);
	assert_null(name_folder_wrong((struct str){longest, NAME_FOLDER_MAX}));
	assert_non_null(name_folder_wrong((struct str){longest, NAME_FOLDER_MAX + 1}));
}

static void a_name_has_parts(void **state)
{
	struct name alice, name, account;
	struct place a, f;

	(void)state;
	assert_true(name_read(STR("alice@example.org"), &alice));
	assert_false(name_is_folder(&alice));
	assert_true(str_eq(name_folder(&alice), STR("")));
	assert_true(name_of_folder(&alice, STR("Lists@X+y"), &name));
	assert_string_equal(name.s, "alice/lists@x+y@example.org");
	assert_true(name_is_folder(&name));
	assert_true(str_eq(name_folder(&name), STR("lists@x+y")));
	assert_true(str_eq(name_domain_of(&name), STR("example.org")));
	account = name_account(&name);
	assert_string_equal(account.s, alice.s);
	account = name_account(&alice);
	assert_string_equal(account.s, alice.s);
	/* No folder of a folder, and none whose component would be too long. */
	assert_false(name_of_folder(&name, STR("x"), &account));
	assert_string_equal(account.s, "");
	char spaces[100];

	memset(spaces, ' ', sizeof spaces);
	assert_false(
		name_of_folder(&alice, (struct str){spaces, sizeof spaces}, &account));
	/* In one directory, and read back. */
	name_place("accounts", &alice, NULL, &a);
	name_place("accounts", &name, NULL, &f);
	assert_string_equal(a.path, "accounts/58/1b/alice@example.org");
	assert_string_equal(f.path, "accounts/58/1b/alice%2flists@x+y@example.org");
	assert_true(name_from_component(str_of(strrchr(f.path, '/') + 1), &account));
	assert_string_equal(account.s, name.s);
}

/* ---- making --------------------------------------------------------------------------- */

static void one_is_made_once(void **state)
{
	struct fixture *x = *state;
	struct account work = make(x, &x->alice, "Work"), again, alice;
	bool found;

	again = make(x, &x->alice, "WORK");
	assert_true(work.uid == again.uid && work.uid != x->alice.uid);
	assert_true(work.folder_of == x->alice.uid);
	assert_true(find(x, "alice@example.org", &alice) && alice.folders);
	scratch_ok(folder_find(x->s.store, &x->bob, STR("work"), &again, &found, &e_));
	assert_false(found);
	/* Who changes the account with what he read before does not lose them. */
	x->alice.quota = 1 << 20;
	scratch_ok(account_update(x->s.store, &x->alice, &e_));
	assert_true(find(x, "alice@example.org", &alice) && alice.folders);
	assert_true(alice.quota == 1 << 20 && alice.folder_of == 0);
}

static void there_is_a_limit(void **state)
{
	struct fixture *x = *state;

	make(x, &x->alice, "a");
	make(x, &x->alice, "b");
	make(x, &x->alice, "c");
	assert_non_null(strstr(refusal(x, &x->alice, "d"), "max_folders"));
	assert_string_equal(refusal(x, &x->alice, "c"), "none");
	assert_string_equal(refusal(x, &x->bob, "d"), "none");
	assert_string_equal(refusal(x, &x->bob, "a/b"), "it has a slash");
}

static int name_it(const struct name *folder, void *ctx, struct err *e UNUSED)
{
	buf_printf(ctx, "%s ", folder->s);
	return 0;
}

static void each_is_found(void **state)
{
	struct fixture *x = *state;
	struct buf all;
	uint64_t uid;
	bool any;

	make(x, &x->alice, "b");
	make(x, &x->alice, "a");
	make(x, &x->bob, "a");
	buf_init(&all, 400);
	scratch_ok(folder_each(x->s.store, &x->alice.name, name_it, &all, &e_));
	assert_string_equal(buf_cstr(&all), "alice/a@example.org alice/b@example.org ");
	buf_fini(&all);
	scratch_ok(folder_any(x->s.store, &x->alice.name, &any, &uid, &e_));
	assert_true(any && uid == x->alice.uid);
}

static bool count_account(const struct account *a, void *ctx)
{
	assert_false(name_is_folder(&a->name));
	++*(unsigned *)ctx;
	return true;
}

static void a_walk_passes_them_by(void **state)
{
	struct fixture *x = *state;
	unsigned n = 0;

	make(x, &x->alice, "work");
	scratch_ok(account_each(x->s.store, STR("*"), count_account, &n, &e_));
	assert_int_equal(n, 3); /* with the template */
	scratch_ok(account_each(x->s.store, str_of(alice_work), count_account, &n, &e_));
	assert_int_equal(n, 3);
}

/* ---- mail ------------------------------------------------------------------------------- */

static void filed_or_kept(void **state)
{
	struct fixture *x = *state;
	uint64_t id = file(x, true), away = file(x, false);

	assert_int_equal(count(x, "alice@example.org"), 1);
	assert_int_equal(count(x, alice_work), 2);
	assert_true(message_is_there(x, id) && message_is_there(x, away));
	assert_int_equal(scratch_check(&x->s, false, &x->last).findings, 0);
}

/* A folder that goes before the message is in it is no user who is not there. */
static void one_that_goes_meanwhile_is_put_off(void **state)
{
	struct fixture *x = *state;
	struct account work = make(x, &x->alice, "Work");
	struct delivery *d = begin(x);
	struct err why;

	assert_true(delivery_file_into(d, 0, &work));
	delivery_leave_out(d, 0, VERDICT_OK, NULL);
	scratch_ok(account_delete(x->s.store, &work.name, &e_));
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(delivery_result(d, 0, &why), VERDICT_TRY_AGAIN);
	assert_int_equal(why.class, ERR_TEMP);
	delivery_end(&d);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	assert_int_equal(scratch_check(&x->s, false, &x->last).findings, 0);
}

/* Nor has the account got it then: it would be no more filed at the next attempt. */
static void what_cannot_be_filed_is_not_kept_alone(void **state)
{
	struct fixture *x = *state;
	struct account work = make(x, &x->alice, "Work");
	struct delivery *d = begin(x);
	struct err why;

	assert_true(delivery_file_into(d, 0, &work));
	scratch_ok(account_delete(x->s.store, &work.name, &e_));
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(delivery_result(d, 0, &why), VERDICT_TRY_AGAIN);
	assert_string_equal(why.dsn, "4.3.0");
	assert_false(message_is_there(x, delivery_id(d)));
	delivery_end(&d);
	assert_int_equal(count(x, "alice@example.org"), 0);
}

/* A message that fits once is not larger than the mailbox. */
static void several_copies_may_be_too_much(void **state)
{
	struct fixture *x = *state;
	struct account work;
	struct delivery *d;
	struct err why;

	x->alice.quota = 40;
	scratch_ok(account_update(x->s.store, &x->alice, &e_));
	work = make(x, &x->alice, "Work");
	d = begin(x);
	assert_true(delivery_file_into(d, 0, &work));
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(delivery_result(d, 0, &why), VERDICT_OVER_QUOTA);
	delivery_end(&d);
	assert_int_equal(count(x, alice_work), 0);
	assert_int_equal(count(x, "alice@example.org"), 0);
}

/* Both or none: a message that was refused is nowhere. */
static void the_quota_has_room_for_all_copies(void **state)
{
	struct fixture *x = *state;
	struct account one, two;
	struct delivery *d;
	struct err why;

	x->alice.quota = 70; /* two of three */
	scratch_ok(account_update(x->s.store, &x->alice, &e_));
	scratch_deliver(&x->s, &x->alice, letter);
	one = make(x, &x->alice, "one");
	two = make(x, &x->alice, "two");
	d = begin(x);
	assert_true(delivery_file_into(d, 0, &one));
	assert_true(delivery_file_into(d, 0, &two));
	delivery_leave_out(d, 0, VERDICT_OK, NULL);
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(delivery_result(d, 0, &why), VERDICT_OVER_QUOTA);
	assert_false(message_is_there(x, delivery_id(d)));
	delivery_end(&d);
	assert_int_equal(count(x, "alice/one@example.org"), 0);
	assert_int_equal(count(x, "alice/two@example.org"), 0);
}

static void the_quota_is_of_all(void **state)
{
	struct fixture *x = *state;
	struct account_usage use;
	struct account alice;
	struct verdict v;

	x->alice.quota = 80;
	scratch_ok(account_update(x->s.store, &x->alice, &e_));
	file(x, true);
	assert_true(find(x, "alice@example.org", &alice));
	scratch_ok(account_usage(x->s.store, &alice, &use, &e_));
	assert_int_equal(use.messages, 2);
	assert_int_equal(use.octets, 2 * (14 + 4 + 14));
	verdict_of(x->s.store, STR("alice@example.org"), 20, &v);
	assert_int_equal(v.code, VERDICT_OVER_QUOTA);
	verdict_fini(&v);

	struct account work = make(x, &alice, "Work");
	struct delivery *d;
	struct err why;

	x->alice = alice;
	d = begin(x);
	assert_true(delivery_file_into(d, 0, &work));
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(delivery_result(d, 0, &why), VERDICT_OVER_QUOTA);
	delivery_end(&d);
	assert_int_equal(count(x, alice_work), 1);
	assert_int_equal(count(x, "alice@example.org"), 1);
}

/* ---- the end ---------------------------------------------------------------------------- */

static void they_go_with_their_account(void **state)
{
	struct fixture *x = *state;
	uint64_t id = file(x, false);
	struct account folder;

	scratch_ok(account_delete(x->s.store, &x->alice.name, &e_));
	assert_false(message_is_there(x, id));
	assert_false(find(x, alice_work, &folder));
	x->alice = scratch_account(&x->s, "alice@example.org");
	assert_int_equal(count(x, alice_work), 0);
	file(x, false);
	assert_int_equal(count(x, alice_work), 1);
	assert_int_equal(scratch_check(&x->s, false, &x->last).findings, 0);
}

static void a_session_in_one_keeps_all(void **state)
{
	struct fixture *x = *state;
	struct account work = make(x, &x->alice, "work");
	struct maildrop *m;
	struct err e;

	file(x, true);
	scratch_ok(maildrop_open(x->s.store, &work, &m, &e_));
	assert_int_equal(account_delete(x->s.store, &x->alice.name, &e), -1);
	assert_non_null(strstr(e.text, "in use"));
	assert_int_equal(count(x, "alice@example.org"), 1);
	maildrop_close(&m);
	scratch_ok(account_delete(x->s.store, &x->alice.name, &e_));
}

static void a_directory_without_a_profile_goes_too(void **state)
{
	struct fixture *x = *state;
	struct account work = make(x, &x->alice, "work");

	scratch_lose(&x->s, alice_work, "profile");
	scratch_ok(account_delete(x->s.store, &x->alice.name, &e_));
	assert_false(find(x, alice_work, &work));
	assert_false(
		scratch_exists(&x->s, scratch_place("accounts", alice_work, NULL).s));
}

/* ---- repair ----------------------------------------------------------------------------- */

static void lose_directory(struct fixture *x, const char *name)
{
	assert_int_equal(
		nftw(scratch_path(&x->s, scratch_place("accounts", name, NULL).s).s,
		     scratch_remove, 8, FTW_DEPTH | FTW_PHYS),
		0);
}

/* mends - one finding or more of this invariant, and none after the repair */
static void mends(struct fixture *x, const char *invariant)
{
	struct check_result r = scratch_check(&x->s, false, &x->last);

	assert_true(r.findings > 0);
	assert_string_equal(x->last.invariant, invariant);
	r = scratch_check(&x->s, true, &x->last);
	assert_int_equal(r.findings, r.repaired);
	r = scratch_check(&x->s, false, &x->last);
	if (r.findings > 0)
		fail_msg("%s %s", x->last.invariant, x->last.what);
}

static void a_profile_is_made_again(void **state)
{
	struct fixture *x = *state;
	struct account was = make(x, &x->alice, "work"), now;

	file(x, false);
	scratch_lose(&x->s, alice_work, "profile");
	mends(x, "I2");
	assert_true(find(x, alice_work, &now));
	assert_true(now.uid == was.uid && now.folder_of == x->alice.uid);
	assert_int_equal(now.flags, 0);
	assert_int_equal(count(x, alice_work), 1);
}

static void a_folder_is_made_again(void **state)
{
	struct fixture *x = *state;
	struct account was = make(x, &x->alice, "work"), now;

	file(x, false);
	lose_directory(x, alice_work);
	mends(x, "I7");
	assert_true(find(x, alice_work, &now));
	assert_true(now.uid == was.uid && now.folder_of == x->alice.uid);
	assert_int_equal(now.flags, 0);
	assert_int_equal(count(x, alice_work), 1);
}

static void an_account_is_made_again_for_its_folders(void **state)
{
	struct fixture *x = *state;
	struct account now;

	file(x, false);
	lose_directory(x, "alice@example.org");
	mends(x, "I20");
	assert_true(find(x, "alice@example.org", &now));
	assert_true(now.uid == x->alice.uid && now.folders);
	assert_int_equal(now.flags, ACCOUNT_DISUSER);
	assert_int_equal(count(x, alice_work), 1);
}

static void a_profile_is_made_again_for_its_folders(void **state)
{
	struct fixture *x = *state;
	struct account now;

	file(x, false);
	scratch_lose(&x->s, "alice@example.org", "profile");
	mends(x, "I2");
	assert_true(find(x, "alice@example.org", &now));
	assert_true(now.uid == x->alice.uid && now.folders);
}

static void a_lost_mark_is_set_again(void **state)
{
	struct fixture *x = *state;
	struct account now;

	file(x, false);
	x->alice.folders = false;
	scratch_ok(account_put(x->s.store, &x->alice, STORAGE_DURABLE, NULL, &e_));
	mends(x, "I20");
	assert_true(find(x, "alice@example.org", &now) && now.folders);
}

/* Its messages are nobody's until somebody decides: it is named, and kept. */
static void one_of_an_earlier_account_is_named(void **state)
{
	struct fixture *x = *state;
	struct account other = x->alice, folder;
	struct name name;
	bool found;

	file(x, false);
	other.uid = x->bob.uid + 1000000;
	other.folders = true;
	scratch_ok(account_put(x->s.store, &other, STORAGE_DURABLE, NULL, &e_));
	scratch_ok(folder_find(x->s.store, &other, STR("work"), &folder, &found, &e_));
	assert_false(found);
	assert_non_null(strstr(refusal(x, &other, "work"), "earlier"));
	assert_int_equal(scratch_check(&x->s, true, &x->last).findings, 1);
	assert_string_equal(x->last.invariant, "I20");
	assert_false(x->last.repaired);
	assert_true(name_read(str_of(alice_work), &name));
	scratch_ok(account_delete(x->s.store, &name, &e_));
	assert_int_equal(scratch_check(&x->s, false, &x->last).findings, 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_names_are_none),
		cmocka_unit_test(a_name_has_parts),
		test(one_is_made_once),
		test(there_is_a_limit),
		test(each_is_found),
		test(a_walk_passes_them_by),
		test(filed_or_kept),
		test(one_that_goes_meanwhile_is_put_off),
		test(what_cannot_be_filed_is_not_kept_alone),
		test(several_copies_may_be_too_much),
		test(the_quota_has_room_for_all_copies),
		test(the_quota_is_of_all),
		test(they_go_with_their_account),
		test(a_session_in_one_keeps_all),
		test(a_directory_without_a_profile_goes_too),
		test(a_profile_is_made_again),
		test(a_folder_is_made_again),
		test(an_account_is_made_again_for_its_folders),
		test(a_profile_is_made_again_for_its_folders),
		test(a_lost_mark_is_set_again),
		test(one_of_an_earlier_account_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
