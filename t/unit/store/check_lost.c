/* SPDX-License-Identifier: ISC */
/* What check makes of accounts that were lost, in part or whole, and of deletions that were
 * stopped: no message goes but of those who were deleted. */
#include "store/check.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "auth/secret.h"
#include "store/account_mend.h"
#include "store/domain.h"
#include "store/forwarding.h"
#include "store/id.h"
#include "store/message_int.h"
#include "t/unit/store/scratch.h"

static const char text[] = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";
static const char alice[] = "alice@example.org", bob[] = "bob@example.org";

struct fixture {
	struct scratch s;
	struct account alice, bob;
	uint64_t id;   /* a message to both */
	uint64_t only; /* one to alice */
	bool release_unowned;
	struct check_finding last;
	char all[4096]; /* every finding */
};

static void keep(const struct check_finding *f, void *ctx)
{
	struct fixture *x = ctx;
	size_t n = strlen(x->all);

	x->last = *f;
	snprintf(x->all + n, sizeof x->all - n, "%s %s\n", f->invariant, f->what);
}

static struct check_result run(struct fixture *x, bool repair)
{
	struct check_options o = {.repair = repair,
				  .release_unowned = x->release_unowned,
				  .finding = keep,
				  .ctx = x};
	struct check_result r;

	x->all[0] = '\0';
	x->last = (struct check_finding){0};
	scratch_ok(check_run(x->s.store, &o, &r, &e_));
	return r;
}

static void begin_on(struct fixture *x, const char *store)
{
	struct account both[2];

	*x = (struct fixture){0};
	scratch_begin_with(&x->s, store, "");
	both[0] = x->alice = scratch_account(&x->s, alice);
	both[1] = x->bob = scratch_account(&x->s, bob);
	x->alice.quota = 7 << 20;
	x->alice.flags = ACCOUNT_LOCKPWD;
	snprintf(x->alice.owner, sizeof x->alice.owner, "Alice 100%%");
	scratch_ok(account_update(x->s.store, &x->alice, &e_));
	x->id = scratch_deliver_to(&x->s, both, 2, text, NULL);
	x->only = scratch_deliver(&x->s, &both[0], text);
	/* Only what the checkpoint has passed is judged. */
	scratch_ok(store_checkpoint(x->s.store, &e_));
}

static void begin(struct fixture *x)
{
	begin_on(x, "");
}

static struct scratch_path place(const char *name, const char *leaf)
{
	return scratch_place("accounts", name, leaf);
}

static void move_leaf(struct fixture *x, const char *name, const char *from,
		      const char *to)
{
	assert_int_equal(rename(scratch_path(&x->s, place(name, from).s).s,
				scratch_path(&x->s, place(name, to).s).s),
			 0);
}

static void remove_account(struct fixture *x, const char *name)
{
	assert_int_equal(nftw(scratch_path(&x->s, place(name, NULL).s).s, scratch_remove,
			      8, FTW_DEPTH | FTW_PHYS),
			 0);
}

static int find(struct fixture *x, const char *name, struct account *a, bool *found)
{
	struct name n = scratch_name(&x->s, name);
	struct err e;

	return account_find(x->s.store, &n, a, found, &e);
}

/* has - the account is there with its uid and these messages, which are whole */
static struct account has(struct fixture *x, const struct account *was, size_t n,
			  const uint64_t *ids)
{
	struct account a;
	struct maildrop *m;
	bool found;

	assert_int_equal(find(x, was->name.s, &a, &found), 0);
	assert_true(found);
	assert_int_equal(a.uid, was->uid);
	scratch_ok(maildrop_look(x->s.store, &a, &m, &e_));
	assert_int_equal(maildrop_count(m), n);
	for (size_t i = 0; i < n; i++) {
		bool there = false;

		for (size_t k = 0; k < n; k++)
			there = there || maildrop_entry(m, i)->id == ids[k];
		assert_true(there);
	}
	maildrop_close(&m);
	return a;
}

static struct account alice_has_all(struct fixture *x)
{
	const uint64_t ids[] = {x->id, x->only};

	return has(x, &x->alice, 2, ids);
}

static void bob_has_his(struct fixture *x)
{
	has(x, &x->bob, 1, &x->id);
}

/* mends - one finding that is left alone without --repair, and sound afterwards */
static void mends(struct fixture *x)
{
	struct check_result r = run(x, false);

	assert_true(r.findings > 0 && r.repaired == 0);
	r = run(x, true);
	if (r.findings == 0 || r.findings != r.repaired)
		fail_msg("not repaired: %s", x->all);
	if (run(x, false).findings != 0)
		fail_msg("after the repair: %s", x->all);
}

static void is_sound(struct fixture *x)
{
	if (run(x, true).findings != 0)
		fail_msg("%s", x->all);
}

/* ---- a profile that is lost or damaged ------------------------------------------------- */

static void a_lost_profile_is_no_deletion(void **state)
{
	struct fixture x;
	struct account a;
	bool found;

	(void)state;
	begin(&x);
	scratch_lose(&x.s, alice, "profile");
	assert_int_equal(find(&x, alice, &a, &found), -1); /* and not "no such user" */
	mends(&x);
	a = alice_has_all(&x);
	assert_int_equal(a.flags, ACCOUNT_DISUSER);
	assert_int_equal(a.created_ms, id_unix_ms(a.uid));
	bob_has_his(&x);
	scratch_end(&x.s);
}

/* equal - what account_find() says of two */
static bool equal(const struct account *a, const struct account *b)
{
	return strcmp(a->name.s, b->name.s) == 0 && a->uid == b->uid &&
	       a->created_ms == b->created_ms && a->flags == b->flags &&
	       a->quota == b->quota && a->overdraft == b->overdraft &&
	       strcmp(a->owner, b->owner) == 0 && strcmp(a->group, b->group) == 0;
}

static void any_octet_of_a_profile_is_mended(void **state)
{
	struct fixture x;
	struct account was, a;
	struct buf file;
	bool found;

	(void)state;
	begin(&x);
	assert_int_equal(find(&x, alice, &was, &found), 0);
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, place(alice, "profile").s, &file);
	for (size_t at = 0; at < file.n; at++) {
		struct check_result r;

		scratch_flip(&x.s, place(alice, "profile").s, at);
		assert_int_equal(find(&x, alice, &a, &found), -1);
		r = run(&x, true);
		if (r.findings != 1 || r.repaired != 1)
			fail_msg("octet %zu: %s", at, x.all);
		assert_int_equal(find(&x, alice, &a, &found), 0);
		assert_true(found && equal(&a, &was));
	}
	buf_fini(&file);
	is_sound(&x);
	scratch_end(&x.s);
}

/* A profile that was cut, or of which a part was zeroed, anywhere: never another uid, no
 * message lost, and a flag is never taken from who has it. */
static void a_cut_or_zeroed_profile_keeps_its_mail(void **state)
{
	struct fixture x;
	struct buf file;

	(void)state;
	begin(&x);
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, place(alice, "profile").s, &file);
	for (size_t at = 0; at < 2 * file.n; at++) {
		char damaged[1024];
		size_t n = at < file.n ? at : file.n, from = at % file.n;
		struct account a;

		memcpy(damaged, file.p, file.n);
		if (at >= file.n)
			memset(damaged + from, 0,
			       file.n - from < 20 ? file.n - from : 20);
		scratch_write(&x.s, place(alice, "profile").s, (struct str){damaged, n});
		run(&x, true);
		a = alice_has_all(&x);
		if (!(a.flags & (ACCOUNT_LOCKPWD | ACCOUNT_DISUSER)))
			fail_msg("%zu: her flags are lost, and she may log in", at);
		bob_has_his(&x);
		is_sound(&x);
	}
	buf_fini(&file);
	scratch_end(&x.s);
}

static void what_can_be_read_is_kept(void **state)
{
	struct fixture x;
	struct account a;
	struct buf file;

	(void)state;
	begin(&x);
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, place(alice, "profile").s, &file);
	/* Two octets: nothing proves the rest, but whole lines are what they say. */
	memcpy(strstr(buf_cstr(&file), "quota"), "xx", 2);
	scratch_write(&x.s, place(alice, "profile").s, buf_str(&file));
	buf_fini(&file);
	mends(&x);
	a = alice_has_all(&x);
	assert_int_equal(a.flags, ACCOUNT_LOCKPWD);
	assert_string_equal(a.owner, "Alice 100%");
	assert_int_equal(a.created_ms, x.alice.created_ms);
	assert_true(a.quota == QUOTA_NONE); /* the template's */
	scratch_end(&x.s);
}

static void without_a_maildrop_the_profile_tells_the_uid(void **state)
{
	struct fixture x;
	struct buf file;
	struct account carol, a;
	bool found;

	(void)state;
	begin(&x);
	carol = scratch_account(&x.s, "carol@example.org");
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, place(carol.name.s, "profile").s, &file);
	memcpy(strstr(buf_cstr(&file), "owner"), "\0\0", 2);
	scratch_write(&x.s, place(carol.name.s, "profile").s, buf_str(&file));
	mends(&x);
	assert_int_equal(find(&x, carol.name.s, &a, &found), 0);
	assert_true(found && a.uid == carol.uid && a.flags == 0);

	/* With nothing that tells it, it is left alone, and the operator is told what to
	 * do. */
	memset(strstr(buf_cstr(&file), "uid "), 0, 8);
	scratch_write(&x.s, place(carol.name.s, "profile").s, buf_str(&file));
	buf_fini(&file);
	assert_int_equal(run(&x, true).repaired, 0);
	assert_non_null(strstr(x.last.what, "'popstore delete --yes'"));
	scratch_ok(account_delete_damaged(x.s.store, &carol.name, &e_));
	scratch_account(&x.s, carol.name.s);
	is_sound(&x);
	scratch_end(&x.s);
}

/* Then a message tells it. */
static void with_a_maildrop_that_tells_nothing_a_slot_does(void **state)
{
	struct fixture x;
	struct account a;

	(void)state;
	begin(&x);
	scratch_lose(&x.s, alice, "profile");
	scratch_write(&x.s, place(alice, "maildrop").s, STR("nothing but this\n"));
	run(&x, true); /* the profile */
	run(&x, true); /* the maildrop */
	a = alice_has_all(&x);
	assert_int_equal(a.flags, ACCOUNT_DISUSER);
	is_sound(&x);
	scratch_end(&x.s);
}

/* One would read the other's mail. */
static void nobody_gets_the_uid_of_another(void **state)
{
	struct fixture x;
	struct account a;
	struct buf mine, theirs;
	bool found;

	(void)state;
	begin(&x);
	buf_init(&mine, 1 << 20);
	buf_init(&theirs, 1 << 20);
	scratch_read(&x.s, place(alice, "profile").s, &mine);
	scratch_read(&x.s, place(bob, "maildrop").s, &theirs);
	memcpy(strstr(buf_cstr(&mine), "quota"), "xx", 2);
	scratch_write(&x.s, place(alice, "profile").s, buf_str(&mine));
	scratch_write(&x.s, place(alice, "maildrop").s, buf_str(&theirs));
	run(&x, true);
	assert_non_null(strstr(x.all, "of another uid"));
	assert_int_equal(find(&x, alice, &a, &found), -1);
	bob_has_his(&x);
	buf_fini(&mine);
	buf_fini(&theirs);
	scratch_end(&x.s);
}

static void profiles_that_were_swapped_go_back(void **state)
{
	struct fixture x;
	struct account was, a;
	bool found;

	(void)state;
	begin(&x);
	assert_int_equal(find(&x, alice, &was, &found), 0);
	move_leaf(&x, alice, "profile", "x");
	assert_int_equal(rename(scratch_path(&x.s, place(bob, "profile").s).s,
				scratch_path(&x.s, place(alice, "profile").s).s),
			 0);
	assert_int_equal(rename(scratch_path(&x.s, place(alice, "x").s).s,
				scratch_path(&x.s, place(bob, "profile").s).s),
			 0);
	run(&x, true);
	is_sound(&x);
	a = alice_has_all(&x);
	assert_true(equal(&a, &was));
	bob_has_his(&x);

	/* A copy of another's is as good as none. */
	scratch_lose(&x.s, alice, "profile");
	assert_int_equal(link(scratch_path(&x.s, place(bob, "profile").s).s,
			      scratch_path(&x.s, place(alice, "profile").s).s),
			 0);
	mends(&x);
	a = alice_has_all(&x);
	assert_int_equal(a.flags, ACCOUNT_DISUSER);
	bob_has_his(&x);
	scratch_end(&x.s);
}

static void copy_leaf(struct fixture *x, const char *from, const char *to,
		      const char *leaf)
{
	struct buf b;

	buf_init(&b, 65536);
	scratch_read(&x->s, place(from, leaf).s, &b);
	scratch_write(&x->s, place(to, leaf).s, buf_str(&b));
	buf_fini(&b);
}

/* Somebody copied alice's directory over carol's: with alice's uid carol would read alice's
 * mail, and what carol deletes would be gone for alice. */
static void a_copied_account_gets_nobodys_mail(void **state)
{
	static const char carol[] = "carol@example.org";
	struct fixture x;
	struct name name;
	struct account a;
	bool found;

	(void)state;
	begin(&x);
	scratch_account(&x.s, carol);
	copy_leaf(&x, alice, carol, "profile");
	copy_leaf(&x, alice, carol, "maildrop");
	assert_int_equal(run(&x, true).repaired, 0);
	assert_non_null(strstr(x.all, "profile of carol@example.org is that of alice@"));
	assert_int_equal(find(&x, carol, &a, &found), -1);
	name = scratch_name(&x.s, carol);
	scratch_ok(account_delete_damaged(x.s.store, &name, &e_));
	assert_int_equal(find(&x, carol, &a, &found), 0);
	assert_false(found);
	is_sound(&x);
	alice_has_all(&x);
	scratch_end(&x.s);
}

/* Renaming a directory renames no account: who it was comes back from the messages. */
static void a_moved_account_gets_nobodys_mail(void **state)
{
	static const char carol[] = "carol@example.org";
	struct fixture x;
	struct account a;
	bool found;

	(void)state;
	begin(&x);
	scratch_account(&x.s, carol);
	copy_leaf(&x, alice, carol, "profile");
	copy_leaf(&x, alice, carol, "maildrop");
	remove_account(&x, alice);
	run(&x, true);
	run(&x, true);
	alice_has_all(&x);
	assert_int_equal(find(&x, carol, &a, &found), -1);
	scratch_end(&x.s);
}

static void a_directory_in_a_wrong_place_comes_home(void **state)
{
	static const char wrong[] = "store/accounts/00/00/alice@example.org";
	struct fixture x;
	struct account was, a;
	bool found;

	(void)state;
	begin(&x);
	assert_int_equal(find(&x, alice, &was, &found), 0);
	mkdir(scratch_path(&x.s, "store/accounts/00").s, 0700);
	mkdir(scratch_path(&x.s, "store/accounts/00/00").s, 0700);
	assert_int_equal(rename(scratch_path(&x.s, place(alice, NULL).s).s,
				scratch_path(&x.s, wrong).s),
			 0);
	run(&x, false);
	assert_non_null(strstr(x.all, "00/00/alice@example.org is not in its place"));
	run(&x, true);
	is_sound(&x);
	a = alice_has_all(&x);
	assert_true(equal(&a, &was));

	/* One that is there already stays, and so does the other. */
	assert_int_equal(mkdir(scratch_path(&x.s, wrong).s, 0700), 0);
	assert_int_equal(run(&x, true).repaired, 0);
	assert_true(scratch_exists(&x.s, wrong));
	alice_has_all(&x);
	scratch_end(&x.s);
}

/* Below a file that was a directory nothing can be told: mail must not bounce for it. */
static void a_file_for_a_directory_is_no_unknown_name(void **state)
{
	struct fixture x;
	struct account a;
	bool found;

	(void)state;
	begin(&x);
	remove_account(&x, alice);
	scratch_write(&x.s, place(alice, NULL).s, STR("x"));
	assert_int_equal(find(&x, alice, &a, &found), -1);
	assert_int_equal(run(&x, true).repaired, 0);
	bob_has_his(&x);
	scratch_end(&x.s);
}

/* A big account takes its time. */
static void a_deletion_at_work_is_no_finding(void **state)
{
	struct fixture x;
	struct storage_lease *lease;
	struct place session;

	(void)state;
	begin(&x);
	move_leaf(&x, alice, "profile", "deleted");
	name_place("accounts", &x.alice.name, "session", &session);
	scratch_ok(storage_lease_take(store_root(x.s.store), session.path, &lease, &e_));
	assert_non_null(lease);
	assert_int_equal(run(&x, false).findings, 0);
	assert_int_equal(run(&x, true).findings, 0);
	storage_lease_drop(&lease);
	assert_true(run(&x, false).findings > 0);
	run(&x, true);
	is_sound(&x);
	bob_has_his(&x);
	scratch_end(&x.s);
}

/* Nor is a name unknown because all names were lost. */
static void a_lost_tree_is_no_unknown_name(void **state)
{
	static const char *const trees[] = {"accounts", "domains", "forwardings"};
	struct fixture x;
	struct forwarding f;
	struct account a;
	struct domain d;
	struct name nobody;
	struct err e;
	bool found;

	(void)state;
	begin(&x);
	nobody = scratch_name(&x.s, "nobody@example.org");
	for (size_t i = 0; i < countof(trees); i++) {
		char tree[40];

		snprintf(tree, sizeof tree, "store/%s", trees[i]);
		assert_int_equal(nftw(scratch_path(&x.s, tree).s, scratch_remove, 8,
				      FTW_DEPTH | FTW_PHYS),
				 0);
		run(&x, true);
		assert_non_null(strstr(x.all, "is lost: put it back from a backup"));
		assert_false(scratch_exists(&x.s, tree));
	}
	assert_int_equal(account_find(x.s.store, &nobody, &a, &found, &e), -1);
	assert_int_equal(domain_find(x.s.store, STR("example.org"), &d, &found, &e), -1);
	assert_int_equal(forwarding_find(x.s.store, &nobody, &f, &found, &e), -1);

	scratch_ok(store_init(x.s.set, &e_));
	scratch_ok(account_find(x.s.store, &nobody, &a, &found, &e_));
	assert_false(found);
	scratch_end(&x.s);
}

static void a_profile_of_a_later_program_is_left_alone(void **state)
{
	static const char *const lines[][2] = {{"popstore-profile 2", "flags "},
					       {"popstore-profile 1", "flags FLYING"}};

	(void)state;
	for (size_t i = 0; i < countof(lines); i++) {
		struct fixture x;
		struct record_writer w;
		struct buf before, after;

		begin(&x);
		record_begin(&w, lines[i][0] + 0);
		buf_clear(&w.text);
		buf_printf(&w.text,
			   "%s\nname %s\nuid %s\ncreated 1\n%s\nquota none\noverdraft 0\n"
			   "owner \ngroup \n",
			   lines[i][0], alice, id_print(x.alice.uid).c, lines[i][1]);
		buf_init(&before, 4096);
		buf_init(&after, 4096);
		buf_put(&before, record_finish(&w));
		record_fini(&w);
		scratch_write(&x.s, place(alice, "profile").s, buf_str(&before));
		assert_int_equal(run(&x, true).repaired, 0);
		scratch_read(&x.s, place(alice, "profile").s, &after);
		assert_true(str_eq(buf_str(&before), buf_str(&after)));
		buf_fini(&before);
		buf_fini(&after);
		scratch_end(&x.s);
	}
}

static void a_damaged_template_is_mended(void **state)
{
	static const char template[] = "default@example.org";
	struct fixture x;
	struct account a;
	bool found;

	(void)state;
	begin(&x);
	scratch_write(&x.s, place(template, "profile").s,
		      STR("popstore-profile 1\nname "));
	mends(&x);
	assert_int_equal(find(&x, template, &a, &found), 0);
	assert_int_equal(a.flags, 0);
	scratch_lose(&x.s, template, "profile");
	mends(&x);
	is_sound(&x);
	scratch_end(&x.s);
}

static void an_operator_may_delete_what_is_damaged(void **state)
{
	struct fixture x;
	struct account a = {.quota = QUOTA_NONE};
	struct err e;

	(void)state;
	for (int lost = 0; lost < 3; lost++) {
		bool found;

		begin(&x);
		if (lost == 0)
			scratch_flip(&x.s, place(alice, "profile").s, 30);
		else
			scratch_lose(&x.s, alice, "profile");
		if (lost == 2)
			scratch_write(&x.s, place(alice, "maildrop").s, STR("nothing\n"));
		a.name = x.alice.name;
		assert_int_equal(account_delete(x.s.store, &x.alice.name, &e), -1);
		assert_int_equal(account_create(x.s.store, &a, false, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_non_null(strstr(e.text, "'popstore check --repair'"));
		scratch_ok(account_delete_damaged(x.s.store, &x.alice.name, &e_));
		assert_int_equal(find(&x, alice, &a, &found), 0);
		assert_false(found);
		assert_false(scratch_exists(&x.s, scratch_message(x.only).s));
		assert_false(scratch_exists(&x.s, place(alice, NULL).s));
		bob_has_his(&x);
		is_sound(&x);
		scratch_end(&x.s);
	}
}

/* ---- deletions that were stopped ---------------------------------------------------------- */

static void a_stopped_deletion_is_completed(void **state)
{
	struct fixture x;
	bool found;

	(void)state;
	/* Behind the mark; with a mark that cannot be read; without lines to go by. */
	for (int i = 0; i < 4; i++) {
		struct account a;

		begin(&x);
		move_leaf(&x, alice, "profile", "deleted");
		if (i == 1)
			scratch_flip(&x.s, place(alice, "deleted").s, 40);
		if (i >= 2)
			scratch_write(&x.s, place(alice, "maildrop").s, STR("nothing\n"));
		if (i == 3)
			scratch_write(&x.s, place(alice, "deleted").s, STR("nothing\n"));
		assert_int_equal(find(&x, alice, &a, &found), 0);
		assert_false(found);
		assert_true(run(&x, false).findings == 3); /* and two slots */
		assert_non_null(strstr(x.all, "an account that was deleted\n"));
		mends(&x);
		assert_false(scratch_exists(&x.s, place(alice, NULL).s));
		assert_false(scratch_exists(&x.s, scratch_message(x.only).s));
		bob_has_his(&x);
		scratch_end(&x.s);
	}
}

/* Not before every volume is there: a slot on one would bring the account back. */
static void a_deletion_waits_for_every_volume(void **state)
{
	struct fixture x;
	struct account a;
	struct err e;
	bool found;

	(void)state;
	begin_on(&x, "volumes = {\"%s/disk\"}");
	store_close(&x.s.store);
	scratch_configure(&x.s, "", "");
	scratch_ok(store_open(x.s.set, &x.s.store, &e_));
	assert_int_equal(account_delete(x.s.store, &x.alice.name, &e), -1);
	assert_non_null(strstr(e.text, "is deleted, but not all of its messages are"));
	assert_int_equal(find(&x, alice, &a, &found), 0);
	assert_false(found);
	run(&x, true);
	assert_true(scratch_exists(&x.s, place(alice, "deleted").s));
	assert_true(scratch_exists(&x.s, place(alice, "maildrop").s));
	assert_int_equal(account_create(x.s.store, &x.alice, false, &e), -1);

	store_close(&x.s.store);
	scratch_configure(&x.s, "volumes = {\"%s/disk\"}", "");
	scratch_ok(store_open(x.s.set, &x.s.store, &e_));
	mends(&x);
	assert_false(scratch_exists(&x.s, place(alice, NULL).s));
	bob_has_his(&x);
	scratch_end(&x.s);
}

static void a_mark_beside_a_profile_is_none(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x);
	assert_int_equal(link(scratch_path(&x.s, place(alice, "profile").s).s,
			      scratch_path(&x.s, place(alice, "deleted").s).s),
			 0);
	alice_has_all(&x);
	mends(&x);
	assert_false(scratch_exists(&x.s, place(alice, "deleted").s));
	alice_has_all(&x);
	scratch_ok(account_delete(x.s.store, &x.alice.name, &e_));
	is_sound(&x);
	scratch_end(&x.s);
}

static void remnants_of_add_are_cleared(void **state)
{
	struct fixture x;
	static const char carol[] = "carol@example.org";

	(void)state;
	begin(&x);
	/* A batch whose octets never reached the disk. */
	scratch_account(&x.s, carol);
	scratch_write(&x.s, place(carol, "profile").s, STR(""));
	mends(&x);
	scratch_account(&x.s, carol);
	scratch_lose(&x.s, carol, "profile");
	mends(&x);
	scratch_account(&x.s, carol);
	is_sound(&x);
	scratch_end(&x.s);
}

/* ---- held for nobody --------------------------------------------------------------------------- */

static void an_account_comes_back_from_what_is_held_for_it(void **state)
{
	struct fixture x;
	struct account a;
	struct secret_prepared p = {.hash = "$y$x"};
	struct secret secret;

	(void)state;
	begin(&x);
	scratch_ok(secret_put(x.s.store, &x.alice, &p, false, &e_));
	remove_account(&x, alice);
	mends(&x);
	a = alice_has_all(&x);
	assert_int_equal(a.flags, ACCOUNT_DISUSER);
	bob_has_his(&x);
	scratch_ok(secret_read(x.s.store, &a, &secret, &e_));
	assert_true(secret.found); /* the password is hers again */
	secret_fini(&secret);
	scratch_end(&x.s);
}

static void the_operator_may_say_that_it_was_deleted(void **state)
{
	struct fixture x;
	struct account a;
	bool found;

	(void)state;
	begin(&x);
	remove_account(&x, alice);
	x.release_unowned = true;
	mends(&x);
	assert_int_equal(find(&x, alice, &a, &found), 0);
	assert_false(found);
	assert_false(scratch_exists(&x.s, scratch_message(x.only).s));
	bob_has_his(&x);
	scratch_end(&x.s);
}

/* left_held - nothing is removed, until the operator says so */
static void left_held(struct fixture *x)
{
	assert_int_equal(run(x, true).repaired, 0);
	assert_non_null(strstr(x->last.what, "--release-unowned"));
	assert_true(scratch_exists(&x->s, scratch_message(x->only).s));
	x->release_unowned = true;
	mends(x);
	assert_false(scratch_exists(&x->s, scratch_message(x->only).s));
	bob_has_his(x);
}

static void what_another_incarnation_holds_is_left(void **state)
{
	struct fixture x;
	struct account a;

	(void)state;
	begin(&x);
	remove_account(&x, alice);
	a = scratch_account(&x.s, alice);
	left_held(&x);
	assert_int_equal(scratch_count(&x.s, &a), 0);
	scratch_end(&x.s);
}

static void what_a_forwarding_holds_is_left(void **state)
{
	struct fixture x;
	struct address to;
	struct forwarding f = {.n = 1, .targets = &to};

	(void)state;
	begin(&x);
	remove_account(&x, alice);
	f.name = x.alice.name;
	assert_int_equal(address_parse(STR("x@example.edu"), true, &to), ADDRESS_OK);
	scratch_ok(forwarding_put(x.s.store, &f, &e_));
	left_held(&x);
	scratch_end(&x.s);
}

static void what_is_under_way_is_left_alone(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x);
	scratch_account(&x.s, "carol@example.org");
	scratch_ok(account_delete(x.s.store, &x.alice.name, &e_));
	is_sound(&x);
	scratch_end(&x.s);
}

/* ---- messages that are gone --------------------------------------------------------------------- */

static void a_file_that_comes_back_comes_home(void **state)
{
	struct fixture x;
	struct scratch_path file;
	struct buf bytes;

	(void)state;
	begin(&x);
	file = scratch_message(x.only);
	buf_init(&bytes, 1 << 20);
	scratch_read(&x.s, file.s, &bytes);
	assert_int_equal(unlink(scratch_path(&x.s, file.s).s), 0);
	mends(&x);
	has(&x, &x.alice, 1, &x.id);
	scratch_write(&x.s, file.s, buf_str(&bytes));
	buf_fini(&bytes);
	mends(&x);
	alice_has_all(&x);
	scratch_end(&x.s);
}

/* One that is whole comes back to its place; another is left for somebody to look at. */
static void a_message_that_is_set_aside_keeps_its_line(void **state)
{
	struct fixture x;
	char aside[64];

	(void)state;
	begin(&x);
	scratch_ok(message_set_aside(x.s.store, 0, x.only, &e_));
	mends(&x);
	alice_has_all(&x);
	scratch_ok(message_set_aside(x.s.store, 0, x.only, &e_));
	snprintf(aside, sizeof aside, "store/damaged/%s", id_print(x.only).c);
	scratch_flip(&x.s, aside, 300);
	assert_int_equal(run(&x, true).repaired, 0);
	assert_non_null(strstr(x.last.what, "damaged/"));
	assert_int_equal(scratch_count(&x.s, &x.alice), 2);
	scratch_end(&x.s);
}

static void a_message_on_another_volume_is_found(void **state)
{
	struct fixture x;
	struct scratch_path from, to;

	(void)state;
	begin_on(&x, "volumes = {\"%s/disk\"}");
	snprintf(from.s, sizeof from.s, "%s/disk/%s", x.s.dir, message_path(x.only).s);
	to = scratch_path(&x.s, scratch_message(x.only).s);
	for (size_t i = strlen(x.s.dir) + 1; to.s[i] != '\0'; i++)
		if (to.s[i] == '/') {
			to.s[i] = '\0';
			mkdir(to.s, 0700);
			to.s[i] = '/';
		}
	assert_int_equal(rename(from.s, to.s), 0);
	mends(&x);
	alice_has_all(&x);
	bob_has_his(&x);
	scratch_end(&x.s);
}

/* The states of slots are under no checksum: as long as nobody can tell whether a maildrop has
 * it, a message that none of them holds stays. */
static void what_an_unknown_account_may_have_stays(void **state)
{
	struct fixture x;
	struct record_writer w;
	struct maildrop *m;
	struct buf file;

	(void)state;
	begin(&x);
	scratch_ok(maildrop_look(x.s.store, &x.alice, &m, &e_));
	for (size_t i = 0; i < maildrop_count(m); i++) {
		const struct maildrop_entry *en = maildrop_entry(m, i);
		int fd = open(scratch_path(&x.s, scratch_message(en->id).s).s, O_WRONLY);

		assert_int_equal(pwrite(fd, "-", 1, en->slot), 1);
		close(fd);
	}
	maildrop_close(&m);
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, place(alice, "profile").s, &file);
	record_begin(&w, "popstore-profile");
	buf_clear(&w.text);
	buf_printf(&w.text, "popstore-profile 2\nname %s\n", alice);
	scratch_write(&x.s, place(alice, "profile").s, record_finish(&w));
	record_fini(&w);
	assert_int_equal(run(&x, true).repaired, 0);
	scratch_write(&x.s, place(alice, "profile").s, buf_str(&file));
	buf_fini(&file);
	mends(&x);
	alice_has_all(&x);
	scratch_end(&x.s);
}

/* What it takes a damaged recipient line for makes no message of a whole maildrop go with
 * another one that is gone. */
static void a_line_without_a_slot_stays(void **state)
{
	static const char nobody[] = "rcpt + x@x 0000000000000 ";
	struct message_info mi = {0};
	struct fixture x;
	struct buf file;

	(void)state;
	begin(&x);
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, scratch_message(x.only).s, &file);
	scratch_ok(message_head_parse(buf_str(&file), &mi, &e_));

	char *line = strstr(file.p, "\nrcpt ") + 1, *end = strchr(line, '\n');
	struct buf sum;

	memcpy(line, nobody, sizeof nobody - 1);
	memset(line + sizeof nobody - 1, '=', (size_t)(end - line) - sizeof nobody + 1);
	buf_init(&sum, 64);
	buf_printf(&sum, "slot-sum %016" PRIx64 "\n",
		   message_slots_sum((struct str){line, (size_t)(end + 1 - line)}));
	memcpy(end + 1, sum.p, sum.n);
	scratch_write(&x.s, scratch_message(x.only).s, buf_str(&file));
	scratch_ok(message_slots_parse((struct str){file.p, mi.body}, &mi, &e_));
	message_info_fini(&mi);
	buf_fini(&sum);
	buf_fini(&file);
	assert_int_equal(unlink(scratch_path(&x.s, scratch_message(x.id).s).s), 0);
	run(&x, true);
	has(&x, &x.alice, 1, &x.only);
	scratch_end(&x.s);
}

/* What a maildrop that was made again has not got back yet goes with its account, too. */
static void a_deletion_finds_what_a_repair_has_not_brought_home(void **state)
{
	struct fixture x;
	struct buf file;
	uint64_t lost;

	(void)state;
	begin(&x);
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, place(alice, "maildrop").s, &file);
	scratch_flip(&x.s, place(alice, "maildrop").s, file.n - 10);
	buf_fini(&file);
	scratch_ok(maildrop_rebuild(x.s.store, &x.alice, &lost, &e_));
	assert_int_equal(scratch_count(&x.s, &x.alice), 1);
	scratch_ok(account_delete(x.s.store, &x.alice.name, &e_));
	is_sound(&x);
	assert_false(scratch_exists(&x.s, scratch_message(x.only).s));
	bob_has_his(&x);
	scratch_end(&x.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_profile_is_no_deletion),
		cmocka_unit_test(any_octet_of_a_profile_is_mended),
		cmocka_unit_test(a_cut_or_zeroed_profile_keeps_its_mail),
		cmocka_unit_test(what_can_be_read_is_kept),
		cmocka_unit_test(without_a_maildrop_the_profile_tells_the_uid),
		cmocka_unit_test(with_a_maildrop_that_tells_nothing_a_slot_does),
		cmocka_unit_test(nobody_gets_the_uid_of_another),
		cmocka_unit_test(profiles_that_were_swapped_go_back),
		cmocka_unit_test(a_copied_account_gets_nobodys_mail),
		cmocka_unit_test(a_moved_account_gets_nobodys_mail),
		cmocka_unit_test(a_directory_in_a_wrong_place_comes_home),
		cmocka_unit_test(a_file_for_a_directory_is_no_unknown_name),
		cmocka_unit_test(a_deletion_at_work_is_no_finding),
		cmocka_unit_test(a_lost_tree_is_no_unknown_name),
		cmocka_unit_test(a_profile_of_a_later_program_is_left_alone),
		cmocka_unit_test(a_damaged_template_is_mended),
		cmocka_unit_test(an_operator_may_delete_what_is_damaged),
		cmocka_unit_test(a_stopped_deletion_is_completed),
		cmocka_unit_test(a_deletion_waits_for_every_volume),
		cmocka_unit_test(a_mark_beside_a_profile_is_none),
		cmocka_unit_test(remnants_of_add_are_cleared),
		cmocka_unit_test(an_account_comes_back_from_what_is_held_for_it),
		cmocka_unit_test(the_operator_may_say_that_it_was_deleted),
		cmocka_unit_test(what_another_incarnation_holds_is_left),
		cmocka_unit_test(what_a_forwarding_holds_is_left),
		cmocka_unit_test(what_is_under_way_is_left_alone),
		cmocka_unit_test(a_file_that_comes_back_comes_home),
		cmocka_unit_test(a_message_that_is_set_aside_keeps_its_line),
		cmocka_unit_test(a_message_on_another_volume_is_found),
		cmocka_unit_test(a_deletion_finds_what_a_repair_has_not_brought_home),
		cmocka_unit_test(what_an_unknown_account_may_have_stays),
		cmocka_unit_test(a_line_without_a_slot_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
