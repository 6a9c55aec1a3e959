/* SPDX-License-Identifier: ISC */
#include "store/account.h"

#include "store/account_mend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/conn.h"
#include "store/id.h"
#include "store/tree.h"
#include "t/unit/store/scratch.h"

static bool find(struct scratch *s, const char *name, struct account *out)
{
	struct name n = scratch_name(s, name);
	bool found;

	scratch_ok(account_find(s->store, &n, out, &found, &e_));
	return found;
}

static void refused(int rc, const struct err *e, const char *text)
{
	assert_int_equal(rc, -1);
	assert_int_equal(e->class, ERR_PERM);
	assert_string_equal(e->text, text);
}

/* ---- the profile -------------------------------------------------------------------- */

/* doc/STORE.md has this one. */
static const char golden[] = "popstore-profile 1\n"
			     "name alice@example.org\n"
			     "uid 1ik5bjee80000\n"
			     "created 1795292012345\n"
			     "flags DISMAIL,LOCKPWD\n"
			     "quota 104857600\n"
			     "overdraft 1048576\n"
			     "owner Alice 100%25\n"
			     "group sales\n"
			     "sum 13a5fe6af2cab2f6\n";

static void is_written_to_the_octet(void **state)
{
	struct scratch *s = *state;
	struct scratch_path place =
		scratch_place("accounts", "alice@example.org", "profile");
	struct account a = scratch_account(s, "alice@example.org"), b;
	struct buf text;

	scratch_write(s, place.s, str_of(golden));
	assert_true(find(s, "alice@example.org", &a));
	assert_string_equal(id_print(a.uid).c, "1ik5bjee80000");
	assert_int_equal(a.created_ms, UINT64_C(1795292012345));
	assert_int_equal(a.flags, ACCOUNT_DISMAIL | ACCOUNT_LOCKPWD);
	assert_int_equal(a.quota, 100 << 20);
	assert_int_equal(a.overdraft, 1 << 20);
	assert_string_equal(a.owner, "Alice 100%");
	assert_string_equal(a.group, "sales");

	scratch_ok(account_update(s->store, &a, &e_));
	buf_init(&text, RECORD_MAX);
	scratch_read(s, place.s, &text);
	assert_string_equal(buf_cstr(&text), golden);
	buf_fini(&text);

	a.quota = QUOTA_NONE;
	a.flags = 0;
	a.owner[0] = a.group[0] = '\0';
	scratch_ok(account_update(s->store, &a, &e_));
	assert_true(find(s, "ALICE@example.org", &b));
	assert_int_equal(b.uid, a.uid);
	assert_int_equal(b.flags, 0);
	assert_true(b.quota == QUOTA_NONE);
	assert_int_equal(b.overdraft, a.overdraft);
	assert_string_equal(b.owner, "");
	assert_string_equal(b.group, "");
}

static void flags_have_names_in_any_case(void **state UNUSED)
{
	static const struct {
		const char *word;
		unsigned flag;
		bool on;
	} rows[] = {
		/* clang-format off */
		{"DISMAIL",   ACCOUNT_DISMAIL, true},
		{"dismail",   ACCOUNT_DISMAIL, true},
		{"nodismail", ACCOUNT_DISMAIL, false},
		{"NoDisUser", ACCOUNT_DISUSER, false},
		{"lockpwd",   ACCOUNT_LOCKPWD, true},
		{"",          0, false},
		{"no",        0, false},
		{"nono",      0, false},
		{"nonodismail", 0, false},
		{"dismail ",  0, false},
		{"nomail",    0, false},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		unsigned flag = 0;
		bool on;

		assert_int_equal(account_flag_parse(str_of(rows[i].word), &flag, &on),
				 rows[i].flag != 0);
		assert_int_equal(flag, rows[i].flag);
		if (rows[i].flag != 0)
			assert_int_equal(on, rows[i].on);
	}
	assert_string_equal(account_flag_name(ACCOUNT_DISUSER), "DISUSER");
	assert_null(account_flag_name(1 << 20));
}

/* Whatever is not as this program writes it is put off, and named; an account that is
 * there is never "no such user". */
static void damage_is_put_off(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		/* clang-format off */
		{"profile 1\n",          "domain 1\n"},
		{"profile 1\n",          "profile 2\n"},
		{"name alice@example.org", "name bob@example.org"},
		{"name alice@example.org", "nome alice@example.org"},
		{"1ik5bjee80000",        "1ik5bjee8000"},
		{"1ik5bjee80000",        "1ik5bjee800000"},
		{"created 1795292012345", "created soon"},
		{"DISMAIL,LOCKPWD",      "DISMAIL,FLYING"},
		{"DISMAIL,LOCKPWD",      "NODISMAIL"},
		{"quota 104857600",      "quota much"},
		{"quota 104857600",      "quota"},
		{"overdraft 1048576\n",  ""},
		{"owner Alice 100%25",
		 "owner 0123456789012345678901234567890123456789012345678901234567890123"
		 "0123456789012345678901234567890123456789012345678901234567890123"},
		{"group sales",
		 "group 0123456789012345678901234567890123456789012345678901234567890123"},
		/* clang-format on */
	};
	struct scratch *s = *state;
	struct scratch_path place =
		scratch_place("accounts", "alice@example.org", "profile");
	struct account a = scratch_account(s, "alice@example.org");

	for (size_t i = 0; i < countof(rows); i++) {
		const char *at = strstr(golden, rows[i].from);
		struct record_writer w;
		struct err e = {0};
		bool found;

		assert_non_null(at);
		record_begin(&w, "popstore-profile");
		buf_clear(&w.text);
		buf_put(&w.text, (struct str){golden, (size_t)(at - golden)});
		buf_put(&w.text, str_of(rows[i].to));
		at += strlen(rows[i].from);
		buf_put(&w.text, (struct str){at, (size_t)(strstr(at, "sum ") - at)});
		scratch_write(s, place.s, record_finish(&w));
		record_fini(&w);
		assert_int_equal(account_find(s->store, &a.name, &a, &found, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_non_null(strstr(e.text, "alice@example.org"));
		a.name = scratch_name(s, "alice@example.org");
	}
}

/* ---- making ------------------------------------------------------------------------- */

static void begins_like_the_template(void **state)
{
	struct scratch *s = *state;
	struct account t, a;
	uint64_t before = clock_unix_ms();

	assert_true(find(s, "default@example.org", &t));
	assert_true(account_is_template(&t));
	assert_true(t.quota == QUOTA_NONE);
	t.quota = 1000;
	t.overdraft = 10;
	t.flags = ACCOUNT_LOCKPWD;
	memcpy(t.owner, "the operator", sizeof "the operator");
	memcpy(t.group, "sales", sizeof "sales");
	scratch_ok(account_update(s->store, &t, &e_));
	scratch_account(s, "alice@example.org");
	assert_true(find(s, "alice@example.org", &a));
	assert_false(account_is_template(&a));
	assert_int_equal(a.quota, 1000);
	assert_int_equal(a.overdraft, 10);
	assert_int_equal(a.flags, ACCOUNT_LOCKPWD);
	assert_string_equal(a.group, "sales");
	assert_string_equal(a.owner, "");
	assert_true(a.created_ms >= before && a.created_ms <= clock_unix_ms());
	assert_int_not_equal(a.uid, t.uid);
}

static void the_template_is_it_in_any_case(void **state)
{
	struct scratch *s = *state;
	struct account a = {.name = scratch_name(s, "DEFAULT@Example.org")};

	assert_true(account_is_template(&a));
	a.name = scratch_name(s, "default+x@example.org");
	assert_false(account_is_template(&a));
	a.name = scratch_name(s, "default.@example.org");
	assert_false(account_is_template(&a));
}

static void refuses_to_make(void **state)
{
	static const struct {
		const char *name, *error;
	} rows[] = {
		/* clang-format off */
		{"alice@example.org",   "account alice@example.org exists already"},
		{"ALICE@EXAMPLE.org",   "account alice@example.org exists already"},
		{"default@example.org", "account default@example.org exists already"},
		{"sales@example.org",   "sales@example.org is a forwarding; 'popstore noforward' removes it"},
		{"bob@example.com",     "there is no domain example.com: 'popstore domain add' makes one"},
		{"bob@example.net",     "example.net is another name of example.org: say bob@example.org"},
		/* clang-format on */
	};
	struct scratch *s = *state;
	struct forwarding f = {.name = scratch_name(s, "sales@example.org"), .n = 1};

	scratch_account(s, "alice@example.org");
	f.targets = xalloc(sizeof *f.targets);
	assert_int_equal(address_parse(STR("x@example.edu"), true, f.targets),
			 ADDRESS_OK);
	scratch_ok(forwarding_put(s->store, &f, &e_));
	forwarding_fini(&f);
	for (size_t i = 0; i < countof(rows); i++) {
		struct account a = {.name = scratch_name(s, rows[i].name)};
		struct err e;

		refused(account_create(s->store, &a, false, &e), &e, rows[i].error);
	}
}

static void many_are_made_before_one_sync(void **state)
{
	struct scratch *s = *state;
	struct account a;
	char name[40];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "user%d@example.org", i);
		scratch_account(s, name);
	}
	scratch_ok(store_sync_batch(s->store, &e_));
	assert_true(find(s, "user0@example.org", &a));
	assert_true(find(s, "user99@example.org", &a));
}

/* Two operators: one makes an account, the other a forwarding of the same name. */
struct rival {
	struct scratch *s;
	int round;
	int made;
};

static void rival_name(const struct rival *r, struct name *out)
{
	char name[40];

	snprintf(name, sizeof name, "rival%d@example.org", r->round);
	assert_true(name_read(str_of(name), out));
}

static void *make_forwarding(void *ctx)
{
	struct rival *r = ctx;
	struct forwarding f = {.n = 1};
	struct address target;
	struct err e;

	rival_name(r, &f.name);
	f.targets = &target;
	must(address_parse(STR("x@example.edu"), true, &target) == ADDRESS_OK);
	r->made = forwarding_put(r->s->store, &f, &e) == 0;
	return NULL;
}

static void a_name_is_an_account_or_a_forwarding(void **state)
{
	struct rival r = {.s = *state};

	for (r.round = 0; r.round < 50; r.round++) {
		struct account a = {.quota = QUOTA_NONE};
		pthread_t other;
		struct err e;

		rival_name(&r, &a.name);
		assert_int_equal(pthread_create(&other, NULL, make_forwarding, &r), 0);

		int made = account_create(r.s->store, &a, true, &e) == 0;

		pthread_join(other, NULL);
		assert_int_equal(made + r.made, 1);
	}
}

/* ---- changing and deleting -------------------------------------------------------------- */

static void an_update_is_for_the_incarnation_it_read(void **state)
{
	struct scratch *s = *state;
	struct account first = scratch_account(s, "alice@example.org"), second, a;
	struct err e;

	scratch_ok(account_delete(s->store, &first.name, &e_));
	refused(account_update(s->store, &first, &e), &e,
		"there is no account alice@example.org");
	assert_false(find(s, "alice@example.org", &a));
	second = scratch_account(s, "alice@example.org");
	assert_int_not_equal(first.uid, second.uid);
	first.flags = ACCOUNT_DISMAIL;
	refused(account_update(s->store, &first, &e), &e,
		"there is no account alice@example.org");
	assert_true(find(s, "alice@example.org", &a));
	assert_int_equal(a.flags, 0);
}

static void deleting_lets_go_of_its_messages(void **state)
{
	struct scratch *s = *state;
	struct account a[2] = {scratch_account(s, "alice@example.org"),
			       scratch_account(s, "bob@example.org")};
	uint64_t only = scratch_deliver(s, &a[0], "Subject: 1\r\n\r\n1\r\n.\r\n");
	uint64_t both = scratch_deliver_to(s, a, 2, "Subject: 2\r\n\r\n2\r\n.\r\n", NULL);
	struct err e;

	scratch_ok(account_delete(s->store, &a[0].name, &e_));
	assert_false(scratch_exists(s, scratch_message(only).s));
	assert_true(scratch_exists(s, scratch_message(both).s));
	assert_false(scratch_exists(
		s, scratch_place("accounts", "alice@example.org", NULL).s));
	assert_int_equal(scratch_count(s, &a[1]), 1);
	refused(account_delete(s->store, &a[0].name, &e), &e,
		"there is no account alice@example.org");
	scratch_ok(account_delete(s->store, &a[1].name, &e_));
	assert_false(scratch_exists(s, scratch_message(both).s));
}

static void a_session_keeps_its_account(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	struct maildrop *m;
	struct err e;

	scratch_ok(maildrop_open(s->store, &a, &m, &e_));
	assert_non_null(m);
	assert_int_equal(account_delete(s->store, &a.name, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_true(find(s, "alice@example.org", &a));
	maildrop_close(&m);
	scratch_ok(account_delete(s->store, &a.name, &e_));
}

/* What a deletion does first. */
static void mark_deleted(struct scratch *s, const char *name)
{
	assert_int_equal(
		rename(scratch_path(s, scratch_place("accounts", name, "profile").s).s,
		       scratch_path(s, scratch_place("accounts", name, "deleted").s).s),
		0);
}

/* A deletion took the profile away and holds the lease while it lets go of thousands of
 * messages: the name is not made again beneath it. */
static void a_name_is_not_made_while_it_is_being_deleted(void **state)
{
	struct scratch *s = *state;
	struct account old = scratch_account(s, "alice@example.org"),
		       new = {.name = old.name, .quota = QUOTA_NONE};
	struct storage_lease *lease;
	struct place session;
	struct err e;

	name_place("accounts", &old.name, "session", &session);
	scratch_ok(storage_lease_take(s->store->root, session.path, &lease, &e_));
	assert_non_null(lease);
	mark_deleted(s, old.name.s);
	assert_int_equal(account_create(s->store, &new, false, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.text, "alice@example.org is being deleted; try again when "
				    "that is done");
	storage_lease_drop(&lease);
	scratch_ok(account_create(s->store, &new, false, &e_));
	assert_false(
		scratch_exists(s, scratch_place("accounts", old.name.s, "deleted").s));
}

static void what_a_cut_deletion_left_is_not_inherited(void **state)
{
	struct scratch *s = *state;
	struct account old = scratch_account(s, "alice@example.org"), new;
	struct scratch_path torn = scratch_place("accounts", old.name.s, ".new.1.0");
	uint64_t id = scratch_deliver(s, &old, "Subject: 1\r\n\r\n1\r\n.\r\n");

	scratch_write(s, torn.s, STR("popstore-pro"));
	mark_deleted(s, old.name.s);
	assert_false(find(s, "alice@example.org", &new));
	new = scratch_account(s, "alice@example.org");
	assert_int_equal(scratch_count(s, &new), 0);
	assert_false(scratch_exists(s, torn.s));
	assert_false(scratch_exists(s, scratch_message(id).s));
	scratch_deliver(s, &new, "Subject: 2\r\n\r\n2\r\n.\r\n");
	assert_int_equal(scratch_count(s, &new), 1);
}

/* Its slots would be those of an account that nobody deleted, were the mark gone. */
static void a_damaged_maildrop_leaves_a_deletion_unfinished(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	struct account new = {.name = a.name, .quota = QUOTA_NONE};
	struct err e;

	scratch_deliver(s, &a, "Subject: 1\r\n\r\n1\r\n.\r\n");
	scratch_flip(s, scratch_place("accounts", a.name.s, "maildrop").s, 30);
	assert_int_equal(account_delete(s->store, &a.name, &e), -1);
	assert_non_null(strstr(e.text, "is deleted, but not all of its messages are"));
	assert_false(find(s, "alice@example.org", &a));
	assert_int_equal(account_create(s->store, &new, false, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "'popstore check --repair' releases the rest"));
	assert_true(
		scratch_exists(s, scratch_place("accounts", new.name.s, "deleted").s));
	scratch_ok(account_finish_deletion(s->store, &new.name, &e_));
	scratch_ok(account_create(s->store, &new, false, &e_));
}

/* A power cut undoes a release that was not synced, and then nothing but the maildrop knows
 * that the message was removed. */
static void deleting_lets_go_of_what_was_removed(void **state)
{
	struct scratch *s = *state;
	struct account a = scratch_account(s, "alice@example.org");
	uint64_t id = scratch_deliver(s, &a, "Subject: 1\r\n\r\n1\r\n.\r\n");
	struct scratch_path file = scratch_message(id);
	struct maildrop *m;
	struct buf bytes;

	buf_init(&bytes, 4096);
	scratch_read(s, file.s, &bytes);
	scratch_ok(maildrop_open(s->store, &a, &m, &e_));
	maildrop_entry(m, 0)->removed = true;
	scratch_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);
	scratch_write(s, file.s, buf_str(&bytes));
	buf_fini(&bytes);
	scratch_ok(account_delete(s->store, &a.name, &e_));
	assert_false(scratch_exists(s, file.s));
}

/* ---- all of them -------------------------------------------------------------------------- */

struct seen {
	char names[512];
	size_t stop_after;
	size_t bad;
};

static bool see(const struct account *a, void *ctx)
{
	struct seen *seen = ctx;
	size_t n = strlen(seen->names);

	snprintf(seen->names + n, sizeof seen->names - n, "%s ", a->name.s);
	return --seen->stop_after > 0;
}

static bool see_bad(const struct name *n, const struct err *why, void *ctx)
{
	struct seen *seen = ctx;

	assert_string_equal(n->s, "bob@example.org");
	assert_non_null(strstr(why->text, "bob@example.org"));
	seen->bad++;
	return true;
}

static void a_pattern_finds_those_that_match(void **state)
{
	static const struct {
		const char *pattern;
		size_t n;
	} rows[] = {
		/* clang-format off */
		{"*",                      4},
		{"*@example.org",          4},
		{"*@EXAMPLE.ORG",          4},
		{"?????@*",                1},
		{"a*",                     2},
		{"alice@example.org",      1},
		{"Alice@Example.org",      1},
		{"default@*",              1},
		{"alice",                  0},
		{"alice@example.net",      0},
		{"../alice@example.org",   0},
		{"",                       0},
		/* clang-format on */
	};
	struct scratch *s = *state;
	struct buf longest;

	scratch_account(s, "alice@example.org");
	scratch_account(s, "bob@example.org");
	scratch_account(s, "a.smith@example.org");
	for (size_t i = 0; i < countof(rows); i++) {
		struct seen seen = {.stop_after = 100};

		scratch_ok(
			account_each(s->store, str_of(rows[i].pattern), see, &seen, &e_));
		assert_int_equal(100 - seen.stop_after, rows[i].n);
	}
	/* None of ours, but it must not be more than that. */
	buf_init(&longest, 1024);
	while (longest.n < 1000) {
		struct seen seen = {.stop_after = 100};

		scratch_ok(account_each(s->store, buf_str(&longest), see, &seen, &e_));
		assert_int_equal(seen.stop_after, 100);
		buf_put(&longest, STR("%%%%%%%%%%"));
	}
	buf_fini(&longest);
}

static void looking_through_all_ends_when_told(void **state)
{
	struct scratch *s = *state;
	struct seen seen = {.stop_after = 2};

	scratch_account(s, "alice@example.org");
	scratch_account(s, "bob@example.org");
	scratch_ok(account_each(s->store, STR("*"), see, &seen, &e_));
	assert_int_equal(seen.stop_after, 0);
}

static void a_damaged_one_is_passed_by_or_ends_it(void **state)
{
	struct scratch *s = *state;
	struct seen seen = {.stop_after = 100};
	struct err e;

	scratch_account(s, "alice@example.org");
	scratch_account(s, "bob@example.org");
	scratch_flip(s, scratch_place("accounts", "bob@example.org", "profile").s, 25);
	assert_int_equal(account_each(s->store, STR("*"), see, &seen, &e), -1);
	assert_non_null(strstr(e.text, "bob@example.org"));
	seen = (struct seen){.stop_after = 100};
	scratch_ok(account_walk(s->store, STR("*"), see, see_bad, &seen, &e_));
	assert_int_equal(seen.bad, 1);
	assert_int_equal(seen.stop_after, 98);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(is_written_to_the_octet),
		cmocka_unit_test(flags_have_names_in_any_case),
		scratch_test(damage_is_put_off),
		scratch_test(begins_like_the_template),
		scratch_test(the_template_is_it_in_any_case),
		scratch_test(refuses_to_make),
		scratch_test(many_are_made_before_one_sync),
		scratch_test(a_name_is_an_account_or_a_forwarding),
		scratch_test(an_update_is_for_the_incarnation_it_read),
		scratch_test(deleting_lets_go_of_its_messages),
		scratch_test(a_session_keeps_its_account),
		scratch_test(a_name_is_not_made_while_it_is_being_deleted),
		scratch_test(what_a_cut_deletion_left_is_not_inherited),
		scratch_test(a_damaged_maildrop_leaves_a_deletion_unfinished),
		scratch_test(deleting_lets_go_of_what_was_removed),
		scratch_test(a_pattern_finds_those_that_match),
		scratch_test(looking_through_all_ends_when_told),
		scratch_test(a_damaged_one_is_passed_by_or_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
