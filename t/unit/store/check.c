/* SPDX-License-Identifier: ISC */
#include "store/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/id.h"
#include "t/unit/store/scratch.h"

static const char text[] = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";

struct fixture {
	struct scratch s;
	struct account alice, bob;
	uint64_t id; /* a message to both */
	struct check_finding last;
};

static struct check_result run(struct fixture *x, bool repair)
{
	return scratch_check(&x->s, repair, &x->last);
}

static void begin(struct fixture *x)
{
	struct account both[2];

	*x = (struct fixture){0};
	scratch_begin_with(&x->s, "", "");
	both[0] = x->alice = scratch_account(&x->s, "alice@example.org");
	both[1] = x->bob = scratch_account(&x->s, "bob@example.org");
	x->id = scratch_deliver_to(&x->s, both, 2, text, NULL);
	/* Only what the checkpoint has passed is judged. */
	scratch_ok(store_checkpoint(x->s.store, &e_));
}

/* finds - exactly one thing, this one; repair mends it, and then all is sound */
static void finds_and_mends(struct fixture *x, const char *invariant, const char *word)
{
	struct check_result r = run(x, false);

	assert_int_equal(r.findings, 1);
	assert_string_equal(x->last.invariant, invariant);
	assert_non_null(strstr(x->last.what, word));
	assert_false(x->last.repaired);
	assert_int_equal(run(x, false).findings, 1); /* looking changes nothing */
	r = run(x, true);
	assert_true(r.findings > 0);
	assert_int_equal(r.repaired, r.findings);
	assert_int_equal(run(x, false).findings, 0);
}

static void set_slot(struct fixture *x, const struct account *a, char state)
{
	struct maildrop *m;
	int fd = open(scratch_path(&x->s, scratch_message(x->id).s).s, O_WRONLY);

	scratch_ok(maildrop_look(x->s.store, a, &m, &e_));
	assert_int_equal(pwrite(fd, &state, 1, maildrop_entry(m, 0)->slot), 1);
	maildrop_close(&m);
	close(fd);
}

static void a_sound_store_has_no_findings(void **state)
{
	struct fixture x;
	struct check_result r;

	(void)state;
	begin(&x);
	r = run(&x, false);
	assert_int_equal(r.findings, 0);
	assert_int_equal(r.accounts, 3); /* and `default` */
	assert_int_equal(r.messages, 1);
	assert_int_equal(r.octets, strlen(text));
	scratch_end(&x.s);
}

static void a_lost_message_is_named(void **state)
{
	struct fixture x;
	struct check_result r;

	(void)state;
	begin(&x);
	assert_int_equal(unlink(scratch_path(&x.s, scratch_message(x.id).s).s), 0);
	r = run(&x, false);
	assert_int_equal(r.findings, 2); /* it was alice's and bob's */
	assert_string_equal(x.last.invariant, "I6");
	assert_non_null(strstr(x.last.what, id_print(x.id).c));
	assert_int_equal(run(&x, true).repaired, 2);
	assert_int_equal(run(&x, false).findings, 0);
	assert_int_equal(scratch_count(&x.s, &x.alice), 0);
	scratch_end(&x.s);
}

/* What a session knows of its file must stay true until it ends. */
static void a_session_keeps_its_maildrop_from_repair(void **state)
{
	struct fixture x;
	struct maildrop *m;
	struct check_result r;

	(void)state;
	begin(&x);
	assert_int_equal(unlink(scratch_path(&x.s, scratch_message(x.id).s).s), 0);
	scratch_ok(maildrop_open(x.s.store, &x.bob, &m, &e_));
	r = run(&x, true);
	assert_int_equal(r.findings, 2);
	assert_int_equal(r.repaired, 1);
	maildrop_entry(m, 0)->removed = true;
	scratch_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);
	assert_int_equal(run(&x, false).findings, 0);
	assert_int_equal(scratch_count(&x.s, &x.bob), 0);

	scratch_ok(maildrop_open(x.s.store, &x.alice, &m, &e_));
	scratch_flip(&x.s, scratch_place("accounts", x.alice.name.s, "maildrop").s, 60);
	r = run(&x, true);
	assert_int_equal(r.findings, 1);
	assert_int_equal(r.repaired, 0);
	assert_non_null(strstr(x.last.what, "POP3 session"));
	maildrop_close(&m);
	assert_int_equal(run(&x, true).repaired, 1);
	assert_int_equal(run(&x, false).findings, 0);
	scratch_end(&x.s);
}

/* release_others - of those who got the message, all but the one found lose it now, as
 * if their sessions ended while the message was being checked */
static void release_others(const struct check_finding *f, void *ctx)
{
	struct fixture *x = ctx;

	x->last = *f;
	scratch_ok(message_release(x->s.store, 0, x->id, x->bob.uid, &e_));
}

static void a_session_that_ends_meanwhile_is_no_finding(void **state)
{
	struct check_result r;
	struct fixture x;
	struct check_options o = {.finding = release_others, .ctx = &x};

	(void)state;
	begin(&x);
	scratch_lose(&x.s, x.alice.name.s, "maildrop");
	scratch_lose(&x.s, x.bob.name.s, "maildrop");
	scratch_ok(check_run(x.s.store, &o, &r, &e_));
	assert_int_equal(r.findings, 1);
	assert_non_null(strstr(x.last.what, x.alice.name.s));
	scratch_end(&x.s);
}

static void a_volume_that_is_not_configured_is_named(void **state)
{
	struct fixture x;

	(void)state;
	x = (struct fixture){0};
	scratch_begin_with(&x.s, "volumes = {\"%s/disk\"}", "");
	x.alice = scratch_account(&x.s, "alice@example.org");
	scratch_deliver(&x.s, &x.alice, text);
	store_close(&x.s.store);
	scratch_configure(&x.s, "", "");
	scratch_ok(store_open(x.s.set, &x.s.store, &e_));
	assert_int_equal(run(&x, false).findings, 1);
	assert_non_null(strstr(x.last.what, "volume 1"));
	scratch_end(&x.s);
}

static void a_slot_that_was_not_let_go_is_released(void **state)
{
	struct fixture x;
	struct maildrop *m;

	(void)state;
	begin(&x);
	scratch_ok(maildrop_open(x.s.store, &x.alice, &m, &e_));

	uint32_t slot = maildrop_entry(m, 0)->slot;

	maildrop_entry(m, 0)->removed = true;
	scratch_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);

	int fd = open(scratch_path(&x.s, scratch_message(x.id).s).s, O_WRONLY);

	assert_int_equal(pwrite(fd, "+", 1, slot), 1);
	close(fd);
	finds_and_mends(&x, "I7", "alice@example.org, who removed it");
	assert_int_equal(scratch_count(&x.s, &x.bob), 1);
	assert_true(scratch_exists(&x.s, scratch_message(x.id).s));
	scratch_end(&x.s);
}

static void a_slot_that_was_let_go_too_early_is_taken_back(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x);
	set_slot(&x, &x.bob, '-');
	finds_and_mends(&x, "I6", "bob@example.org");
	scratch_end(&x.s);
}

static void a_file_for_nobody_is_removed(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x);
	set_slot(&x, &x.alice, '-');
	set_slot(&x, &x.bob, '-');
	scratch_lose(&x.s, "alice@example.org", "maildrop");
	scratch_lose(&x.s, "bob@example.org", "maildrop");
	finds_and_mends(&x, "I9", id_print(x.id).c);
	assert_false(scratch_exists(&x.s, scratch_message(x.id).s));
	scratch_end(&x.s);
}

static void a_flipped_body_is_named_and_left(void **state)
{
	struct fixture x;
	struct buf file;

	(void)state;
	begin(&x);
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, scratch_message(x.id).s, &file);
	scratch_flip(&x.s, scratch_message(x.id).s, file.n - 10);
	buf_fini(&file);
	assert_int_equal(run(&x, true).findings, 1);
	assert_string_equal(x.last.invariant, "I8");
	assert_non_null(strstr(x.last.what, "body fails the checksum"));
	assert_false(x.last.repaired);
	assert_true(scratch_exists(&x.s, scratch_message(x.id).s));
	scratch_end(&x.s);
}

/* Whatever octet of a maildrop is damaged: repair brings every message back under its
 * own id, and the other account never notices. */
static void any_damage_to_a_maildrop_is_mended(void **state)
{
	struct scratch_path path =
		scratch_place("accounts", "alice@example.org", "maildrop");
	struct fixture x;
	struct buf file;
	size_t n;

	(void)state;
	begin(&x);

	uint64_t second = scratch_deliver(&x.s, &x.alice, text);

	scratch_ok(store_checkpoint(x.s.store, &e_));
	buf_init(&file, 1 << 20);
	scratch_read(&x.s, path.s, &file);
	n = file.n;
	for (size_t at = 0; at < n; at++) {
		struct maildrop *m;

		scratch_write(&x.s, path.s, buf_str(&file));
		scratch_flip(&x.s, path.s, at);
		if (run(&x, true).findings == 0)
			fail_msg("nobody saw that octet %zu was flipped", at);
		assert_int_equal(run(&x, false).findings, 0);
		scratch_ok(maildrop_look(x.s.store, &x.alice, &m, &e_));
		if (maildrop_count(m) != 2)
			fail_msg("octet %zu: %zu messages", at, maildrop_count(m));
		assert_true(maildrop_entry(m, 0)->id == x.id ||
			    maildrop_entry(m, 0)->id == second);
		assert_true(maildrop_entry(m, 1)->id == x.id ||
			    maildrop_entry(m, 1)->id == second);
		maildrop_close(&m);
		assert_int_equal(scratch_count(&x.s, &x.bob), 1);
	}
	buf_fini(&file);
	scratch_end(&x.s);
}

static void a_fifo_in_place_of_a_file_is_named(void **state)
{
	static const char *const leaves[] = {"profile", "maildrop"};

	(void)state;
	for (size_t i = 0; i < countof(leaves); i++) {
		struct fixture x;
		struct scratch_path path;

		begin(&x);
		path = scratch_path(
			&x.s, scratch_place("accounts", "bob@example.org", leaves[i]).s);
		assert_int_equal(unlink(path.s), 0);
		assert_int_equal(mkfifo(path.s, 0600), 0);
		assert_int_equal(run(&x, false).findings, 1);
		assert_non_null(strstr(x.last.what, path.s));
		/* No remnant of a crash looks like that. */
		assert_true(scratch_exists(&x.s, scratch_message(x.id).s));
		scratch_end(&x.s);
	}
}

static void a_domain_without_a_template_gets_one(void **state)
{
	struct fixture x;
	struct name n;

	(void)state;
	begin(&x);
	n = scratch_name(&x.s, "default@example.org");
	scratch_ok(account_delete(x.s.store, &n, &e_));
	finds_and_mends(&x, "I3", "example.org");
	scratch_end(&x.s);
}

static void what_the_checkpoint_has_not_passed_is_left_alone(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x);

	scratch_deliver(&x.s, &x.bob, text);
	scratch_lose(&x.s, "bob@example.org", "maildrop");
	/* Of bob's two messages the old one is a finding, the new one might be a
	 * delivery that is under way. */
	assert_int_equal(run(&x, false).findings, 1);
	assert_non_null(strstr(x.last.what, id_print(x.id).c));
	scratch_end(&x.s);
}

/* An older root beside newer messages: what no maildrop knows is found all the same. */
static void a_writers_record_from_a_backup_hides_nothing(void **state)
{
	struct fixture x;
	struct buf old;

	(void)state;
	begin(&x);
	store_close(&x.s.store);
	buf_init(&old, 4096);
	scratch_read(&x.s, "store/writers/0", &old);
	assert_non_null(strstr(buf_cstr(&old), "state closed"));
	scratch_ok(store_open(x.s.set, &x.s.store, &e_));
	scratch_deliver(&x.s, &x.bob, text);
	store_close(&x.s.store);
	scratch_write(&x.s, "store/writers/0", buf_str(&old));
	scratch_lose(&x.s, "bob@example.org", "maildrop");
	scratch_ok(store_open(x.s.set, &x.s.store, &e_));
	assert_int_equal(run(&x, true).repaired, 2);
	assert_int_equal(run(&x, false).findings, 0);
	assert_int_equal(scratch_count(&x.s, &x.bob), 2);
	buf_fini(&old);
	scratch_end(&x.s);
}

/* age - its last change was so many hours ago */
static void age(struct fixture *x, const char *path, time_t hours)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT},
				{.tv_sec = time(NULL) - hours * 3600}};

	assert_int_equal(utimensat(AT_FDCWD, scratch_path(&x->s, path).s, t, 0), 0);
}

static void repair_sweeps_what_the_dead_were_writing(void **state)
{
	struct scratch_path old =
		scratch_place("accounts", "alice@example.org", ".new.77.0");
	struct scratch_path young =
		scratch_place("accounts", "alice@example.org", ".new.77.1");
	struct fixture x;

	(void)state;
	begin(&x);
	scratch_write(&x.s, old.s, STR("popstore-prof"));
	scratch_write(&x.s, young.s, STR("popstore-prof"));
	age(&x, old.s, 2);
	assert_int_equal(run(&x, false).findings, 0);
	assert_true(scratch_exists(&x.s, old.s));
	assert_int_equal(run(&x, true).findings, 0);
	assert_false(scratch_exists(&x.s, old.s));
	assert_true(scratch_exists(&x.s, young.s));
	scratch_end(&x.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_store_has_no_findings),
		cmocka_unit_test(a_lost_message_is_named),
		cmocka_unit_test(a_session_keeps_its_maildrop_from_repair),
		cmocka_unit_test(a_session_that_ends_meanwhile_is_no_finding),
		cmocka_unit_test(a_volume_that_is_not_configured_is_named),
		cmocka_unit_test(a_slot_that_was_not_let_go_is_released),
		cmocka_unit_test(a_slot_that_was_let_go_too_early_is_taken_back),
		cmocka_unit_test(a_file_for_nobody_is_removed),
		cmocka_unit_test(a_flipped_body_is_named_and_left),
		cmocka_unit_test(any_damage_to_a_maildrop_is_mended),
		cmocka_unit_test(a_fifo_in_place_of_a_file_is_named),
		cmocka_unit_test(a_domain_without_a_template_gets_one),
		cmocka_unit_test(what_the_checkpoint_has_not_passed_is_left_alone),
		cmocka_unit_test(a_writers_record_from_a_backup_hides_nothing),
		cmocka_unit_test(repair_sweeps_what_the_dead_were_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
