/* SPDX-License-Identifier: ISC */
#include "store/standing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"
#include "t/unit/store/scratch.h"
#include "t/unit/store/syscalls.h"

static const char letter[] = "Subject: x\r\n\r\n..x\r\n.\r\n";
static const struct delivery_totals totals = {14 + 4, 14};

/* Two processes with one store, as far as the disk can tell. */
struct fixture {
	struct scratch s;
	struct store *other;
	struct account a;
};

static void open_other(struct fixture *x)
{
	store_close(&x->other);
	scratch_ok(store_open(x->s.set, &x->other, &e_));
}

static void begin(struct fixture *x, const char *store)
{
	*x = (struct fixture){0};
	scratch_begin_with(&x->s, store, "");
	x->a = scratch_account(&x->s, "alice@example.org");
	open_other(x);
}

static void end(struct fixture *x)
{
	store_close(&x->other);
	scratch_end(&x->s);
}

static void takes(struct store *s)
{
	scratch_ok(store_takes_mail(s, &e_));
}

static void refuses(struct store *s, const char *why)
{
	struct err e;

	assert_int_equal(store_takes_mail(s, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.dsn, "4.3.0");
	if (strstr(e.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", e.text, why);
}

static void fail_syncs(bool on)
{
	atomic_store(&syscalls_fail_sync, on);
}

/* fail_delivery - one whose message cannot be brought to the disk */
static void fail_delivery(struct fixture *x)
{
	struct delivery *d = delivery_begin(x->s.store, STR(""), STR(""));
	struct err e;

	delivery_rcpt(d, &x->a, STR(""));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	fail_syncs(true);
	assert_int_equal(delivery_commit(d, &totals, &e), -1);
	fail_syncs(false);
	delivery_end(&d);
}

static void fail_checkpoint(struct fixture *x)
{
	struct err e;

	scratch_deliver(&x->s, &x->a, letter);
	fail_syncs(true);
	assert_int_equal(store_checkpoint(x->s.store, &e), -1);
	fail_syncs(false);
}

static struct standing_report report(struct store *s, size_t i)
{
	struct standing_report r;

	assert_true(i < store_standings(s));
	store_standing(s, i, &r);
	return r;
}

static void a_sound_store_takes_mail(void **state UNUSED)
{
	struct standing_report r;
	struct fixture x;

	begin(&x, "");
	takes(x.s.store);
	assert_int_equal(store_standings(x.s.store), 2);
	r = report(x.s.store, 0);
	assert_string_equal(r.name, "root");
	assert_string_equal(r.word, "ok");
	assert_string_equal(r.why, "");
	assert_true(r.mail);
	r = report(x.s.store, 1);
	assert_string_equal(r.name, "0");
	assert_true(r.mail);
	assert_true(r.space.octets > 0 && r.space.objects > 0);
	end(&x);
}

static void a_failed_sync_stops_the_volume_for_every_process(void **state UNUSED)
{
	struct standing_report r;
	struct fixture x;

	begin(&x, "");
	fail_delivery(&x);
	store_alarm(x.s.store);
	refuses(x.s.store, "a sync failed");
	refuses(x.other, "a sync failed"); /* it had not looked yet */
	open_other(&x);                    /* a worker that was started again */
	refuses(x.other, "a sync failed");
	r = report(x.other, 1);
	assert_int_equal(r.standing, STANDING_STOPPED);
	assert_false(r.mail);
	assert_non_null(strstr(r.why, "Input/output error"));
	assert_non_null(strstr(r.why, "/messages/"));
	assert_true(r.since_ms > 0);
	assert_int_equal(report(x.other, 0).standing, STANDING_OK);
	end(&x);
}

static void one_look_a_second_is_enough(void **state UNUSED)
{
	struct fixture x;

	begin(&x, "");
	takes(x.other);
	fail_delivery(&x);
	store_alarm(x.s.store);
	takes(x.other); /* what it saw is not a second old */
	atomic_store(&x.other->volumes[0].look.at_ms, 1);
	refuses(x.other, "a sync failed");
	end(&x);
}

static void a_failed_checkpoint_stops_the_root(void **state UNUSED)
{
	struct fixture x;
	bool stopped;

	begin(&x, "");
	scratch_ok(store_root_stopped(x.other, &stopped, &e_));
	assert_false(stopped);
	fail_checkpoint(&x);
	store_alarm(x.s.store);
	refuses(x.s.store, x.s.set->store.root);
	refuses(x.other, x.s.set->store.root);
	scratch_ok(store_root_stopped(x.other, &stopped, &e_));
	assert_true(stopped);
	assert_int_equal(report(x.other, 0).standing, STANDING_STOPPED);
	end(&x);
}

static void the_others_take_its_turns(void **state UNUSED)
{
	struct fixture x;
	unsigned used[4] = {0};

	begin(&x, "volumes = {%s/v1, %s/v2}");
	fail_delivery(&x);
	store_alarm(x.s.store);
	takes(x.s.store);
	takes(x.other);
	for (int i = 0; i < 4; i++) {
		struct volume *v = store_pick_volume(x.other, &(struct err){0});

		assert_non_null(v);
		used[v->number]++;
	}
	assert_true((used[1] == 0) != (used[2] == 0));
	fail_delivery(&x);
	store_alarm(x.s.store);
	refuses(x.s.store, "a sync failed");
	open_other(&x);
	refuses(x.other, "a sync failed");
	end(&x);
}

static void only_the_operator_resumes(void **state UNUSED)
{
	struct fixture x;
	size_t n;

	begin(&x, "");
	fail_delivery(&x);
	fail_syncs(false);
	store_alarm(x.s.store);
	scratch_ok(store_resume(x.other, &n, &e_));
	assert_int_equal(n, 1);
	open_other(&x);
	takes(x.other);
	/* What failed in a process is over when the process is. */
	refuses(x.s.store, "a sync failed");
	scratch_ok(store_resume(x.other, &n, &e_));
	assert_int_equal(n, 0);
	end(&x);
}

/* Its record may be damaged, for the disk is what failed: that it is there is enough. */
static void a_record_that_cannot_be_read_stops_as_well(void **state UNUSED)
{
	struct fixture x;

	begin(&x, "");
	assert_int_equal(mkdir(scratch_path(&x.s, "store/stopped").s, 0700), 0);
	scratch_write(&x.s, "store/stopped/0", STR("dust"));
	refuses(x.other, "a sync failed");
	assert_int_equal(report(x.other, 1).standing, STANDING_STOPPED);
	end(&x);
}

static void the_verdict_says_it_before_the_message_comes(void **state UNUSED)
{
	struct fixture x;
	struct verdict v;

	begin(&x, "");
	verdict_of(x.other, STR("alice@example.org"), 0, &v);
	assert_int_equal(v.code, VERDICT_OK);
	verdict_fini(&v);
	fail_delivery(&x);
	store_alarm(x.s.store);
	open_other(&x);
	verdict_of(x.other, STR("alice@example.org"), 0, &v);
	assert_int_equal(v.code, VERDICT_TRY_AGAIN);
	assert_int_equal(v.smtp, 451);
	assert_non_null(strstr(v.why.text, "a sync failed"));
	verdict_fini(&v);
	/* What can be told whatever the disks do is told. */
	verdict_of(x.other, STR("nobody@example.org"), 0, &v);
	assert_int_equal(v.code, VERDICT_NO_USER);
	verdict_fini(&v);
	end(&x);
}

static void look_again(struct store *s)
{
	atomic_store(&s->root_look.at_ms, 0);
	for (size_t i = 0; i < s->n_volumes; i++)
		atomic_store(&s->volumes[i].look.at_ms, 0);
}

/* on_a_small_disk - a volume of its own; false where that needs to be root */
static bool on_a_small_disk(struct fixture *x)
{
	struct scratch *s = &x->s;

	*x = (struct fixture){0};
	scratch_settings(s, "volumes = {%s/v1}", "");
	assert_int_equal(mkdir(scratch_path(s, "v1").s, 0700), 0);
	if (!scratch_small_disk(s, "v1", "256k"))
		return false;
	scratch_ok(store_init(s->set, &e_));
	scratch_ok(store_open(s->set, &s->store, &e_));
	scratch_domain(s, "example.org", NULL);
	x->a = scratch_account(s, "alice@example.org");
	return true;
}

static void unmount(struct fixture *x)
{
	assert_int_equal(umount2(scratch_path(&x->s, "v1").s, MNT_DETACH), 0);
}

static void a_read_only_disk_takes_mail_when_it_is_not_any_more(void **state UNUSED)
{
	struct fixture x;
	struct scratch_path v1;

	if (!on_a_small_disk(&x)) {
		end(&x);
		skip();
	}
	v1 = scratch_path(&x.s, "v1");
	assert_int_equal(mount("none", v1.s, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	refuses(x.s.store, "read only");
	assert_int_equal(report(x.s.store, 2).standing, STANDING_READ_ONLY);
	assert_int_equal(mount("none", v1.s, NULL, MS_REMOUNT, NULL), 0);
	look_again(x.s.store);
	takes(x.s.store);
	unmount(&x);
	end(&x);
}

static void a_full_disk_is_for_the_delivery_to_say(void **state UNUSED)
{
	struct fixture x;
	struct delivery *d;
	struct err e;
	FILE *fill;

	if (!on_a_small_disk(&x)) {
		end(&x);
		skip();
	}
	fill = fopen(scratch_path(&x.s, "v1/fill").s, "w");
	assert_non_null(fill);
	while (fputs("filling the disk up", fill) != EOF)
		;
	fclose(fill);
	assert_int_equal(report(x.s.store, 2).standing, STANDING_FULL);
	takes(x.s.store); /* it is 452 and not 451, and that is said later */
	d = delivery_begin(x.s.store, STR(""), STR(""));
	delivery_rcpt(d, &x.a, STR(""));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	assert_int_equal(delivery_commit(d, &totals, &e), -1);
	assert_string_equal(e.dsn, "4.3.1");
	delivery_end(&d);
	unmount(&x);
	end(&x);
}

/* The one that has its turn cannot make a file: the message goes to the other. */
static void a_volume_that_refuses_is_passed_over(void **state UNUSED)
{
	struct fixture x;

	begin(&x, "volumes = {%s/v1, %s/v2}");
	scratch_write(&x.s, "v1/messages", STR(""));
	for (int i = 0; i < 4; i++)
		scratch_deliver(&x.s, &x.a, letter);
	assert_int_equal(scratch_count(&x.s, &x.a), 4);
	assert_int_equal(unlink(scratch_path(&x.s, "v1/messages").s), 0);
	end(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_store_takes_mail),
		cmocka_unit_test(a_failed_sync_stops_the_volume_for_every_process),
		cmocka_unit_test(one_look_a_second_is_enough),
		cmocka_unit_test(a_failed_checkpoint_stops_the_root),
		cmocka_unit_test(the_others_take_its_turns),
		cmocka_unit_test(only_the_operator_resumes),
		cmocka_unit_test(a_record_that_cannot_be_read_stops_as_well),
		cmocka_unit_test(the_verdict_says_it_before_the_message_comes),
		cmocka_unit_test(a_read_only_disk_takes_mail_when_it_is_not_any_more),
		cmocka_unit_test(a_full_disk_is_for_the_delivery_to_say),
		cmocka_unit_test(a_volume_that_refuses_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
