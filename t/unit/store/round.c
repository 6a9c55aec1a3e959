/* SPDX-License-Identifier: ISC */
/* A check and a scrub that stop after every single step, and go on. */
#include "store/round.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/id.h"
#include "store/scrub.h"
#include "t/unit/store/scratch.h"

#include <dirent.h>
#include <dlfcn.h>

static const char text[] = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";

/* A directory that a disk does not give any more. */
static ino_t bad_directory;

struct dirent *readdir(DIR *d)
{
	static struct dirent *(*real)(DIR * d);
	struct stat st;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (bad_directory != 0 && fstat(dirfd(d), &st) == 0 &&
	    st.st_ino == bad_directory) {
		errno = EIO;
		return NULL;
	}
	return real(d);
}

enum { ACCOUNTS = 4, MESSAGES = 6, STEPS_MAX = 40 };

typedef int run_fn(struct store *s, const struct check_options *o,
		   struct check_result *out, struct err *e);

struct fixture {
	struct scratch s;
	struct account a[ACCOUNTS];
	uint64_t id[MESSAGES];
	size_t steps, stop; /* stops at that one, 0: never */
	struct buf findings, notes;
	struct round_state last;
};

static void begin(struct fixture *x)
{
	*x = (struct fixture){0};
	scratch_begin_with(&x->s, "volumes = {\"%s/one\", \"%s/two\"}", "");
	for (size_t i = 0; i < ACCOUNTS; i++) {
		char name[64];

		snprintf(name, sizeof name, "user%zu@example.org", i);
		x->a[i] = scratch_account(&x->s, name);
	}
	for (size_t i = 0; i < MESSAGES; i++)
		x->id[i] = scratch_deliver_to(&x->s, &x->a[i % ACCOUNTS], 1, text, NULL);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	buf_init(&x->findings, 1 << 16);
	buf_init(&x->notes, 1 << 16);
}

static void end(struct fixture *x)
{
	buf_fini(&x->findings);
	buf_fini(&x->notes);
	scratch_end(&x->s);
}

static void keep_finding(const struct check_finding *f, void *ctx)
{
	struct fixture *x = ctx;

	buf_printf(&x->findings, "%s: %s%s\n", f->invariant, f->what,
		   f->repaired ? " (repaired)" : "");
}

static void keep_note(const char *note, void *ctx)
{
	buf_printf(&((struct fixture *)ctx)->notes, "%s\n", note);
}

static void count_step(const struct round_state *now, void *ctx)
{
	struct fixture *x = ctx;

	x->steps++;
	if (strcmp(now->phase, x->last.phase) == 0)
		assert_true(now->share >= x->last.share);
	assert_true(now->share < TREE_WHOLE);
	x->last = *now;
}

static bool is_time(void *ctx)
{
	const struct fixture *x = ctx;

	return x->stop > 0 && x->steps >= x->stop;
}

static struct check_options options(struct fixture *x, bool resume)
{
	x->steps = 0;
	x->last = (struct round_state){0};
	return (struct check_options){.keep_place = true,
				      .resume = resume,
				      .finding = keep_finding,
				      .note = keep_note,
				      .progress = count_step,
				      .stop = is_time,
				      .ctx = x};
}

static int scrub(struct store *s, const struct check_options *o, struct check_result *out,
		 struct err *e)
{
	return scrub_run(s, o, 0, out, e);
}

static struct check_result run_with(struct fixture *x, run_fn *run, bool resume,
				    bool repair)
{
	struct check_options o = options(x, resume);
	struct check_result r;

	o.repair = repair;
	scratch_ok(run(x->s.store, &o, &r, &e_));
	return r;
}

/* message_file - on the volume where it lies */
static struct scratch_path message_file(struct fixture *x, size_t i)
{
	struct scratch_path p;

	snprintf(p.s, sizeof p.s, "one/%s", message_path(x->id[i]).s);
	if (!scratch_exists(&x->s, p.s))
		snprintf(p.s, sizeof p.s, "two/%s", message_path(x->id[i]).s);
	return p;
}

static void damage(struct fixture *x)
{
	unlink(scratch_path(&x->s, message_file(x, 0).s).s);
	scratch_lose(&x->s, x->a[1].name.s, "maildrop");
	scratch_flip(&x->s, scratch_place("accounts", x->a[2].name.s, "profile").s, 40);
	scratch_lose(&x->s, x->a[3].name.s, "profile");
	scratch_flip(&x->s, scratch_place("domains", "example.net", NULL).s, 40);
}

/* assert_same - whatever was stopped in between */
static void assert_same(const struct check_result *a, const struct check_result *b)
{
	assert_int_equal(a->accounts, b->accounts);
	assert_int_equal(a->messages, b->messages);
	assert_int_equal(a->octets, b->octets);
	assert_int_equal(a->findings, b->findings);
	assert_int_equal(a->repaired, b->repaired);
	assert_false(b->stopped);
}

static bool has_record(const struct fixture *x, run_fn *run)
{
	return scratch_exists(&x->s, run == scrub ? "store/scrubbing" : "store/checking");
}

/* stopped_at_every_step - once each: stop, go on to the end */
static void stopped_at_every_step(struct fixture *x, run_fn *run)
{
	struct check_result whole, rest;
	struct buf findings;
	size_t steps;

	x->stop = 0;
	whole = run_with(x, run, false, false);
	steps = x->steps;
	assert_true(steps >= MESSAGES && steps < STEPS_MAX);
	buf_init(&findings, 1 << 16);
	buf_put(&findings, buf_str(&x->findings));
	for (size_t n = 1; n <= steps; n++) {
		buf_clear(&x->findings);
		x->stop = n;
		rest = run_with(x, run, false, false);
		assert_true(rest.stopped && rest.resumable);
		assert_true(has_record(x, run));
		assert_int_equal(x->steps, n);
		x->stop = 0;
		rest = run_with(x, run, true, false);
		assert_same(&whole, &rest);
		assert_int_equal(x->steps, steps - n);
		assert_false(has_record(x, run));
		/* In the same order, none lost and none twice. */
		assert_string_equal(buf_cstr(&x->findings), buf_cstr(&findings));
	}
	assert_int_equal(x->notes.n, 0);
	buf_fini(&findings);
}

static void a_check_goes_on_where_it_stopped(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x);
	stopped_at_every_step(&x, check_run);
	assert_int_equal(x.findings.n, 0);
	damage(&x);
	stopped_at_every_step(&x, check_run);
	assert_true(x.findings.n > 0);
	end(&x);
}

static void a_scrub_goes_on_where_it_stopped(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x);
	stopped_at_every_step(&x, scrub);
	assert_int_equal(x.findings.n, 0);
	for (size_t i = 1; i < 4; i++)
		scratch_flip(&x.s, message_file(&x, i).s, 10 + i * 100);
	stopped_at_every_step(&x, scrub);
	assert_non_null(strstr(buf_cstr(&x.findings), id_print(x.id[1]).c));
	end(&x);
}

/* One step a run, to the end. */
static void it_may_stop_again_and_again(void **state)
{
	struct check_result whole, r;
	struct fixture x;

	(void)state;
	begin(&x);
	damage(&x);
	whole = run_with(&x, check_run, false, false);
	x.stop = 1;
	r = run_with(&x, check_run, false, false);
	for (int i = 0; i < STEPS_MAX && r.stopped; i++)
		r = run_with(&x, check_run, true, false);
	assert_same(&whole, &r);
	end(&x);
}

/* What one run repaired the next does not find, and counts all the same. */
static void a_repair_goes_on_where_it_stopped(void **state)
{
	struct check_result whole, left, r;
	struct fixture x;

	(void)state;
	begin(&x);
	damage(&x);
	whole = run_with(&x, check_run, false, true);
	left = run_with(&x, check_run, false, false);
	assert_true(whole.repaired > 0);
	end(&x);
	for (size_t n = 1;; n++) {
		begin(&x);
		damage(&x);
		x.stop = n;
		r = run_with(&x, check_run, false, true);
		if (!r.stopped) {
			end(&x);
			assert_true(n > ACCOUNTS + MESSAGES / 2);
			break;
		}
		x.stop = 0;
		r = run_with(&x, check_run, true, true);
		assert_int_equal(r.findings, whole.findings);
		assert_int_equal(r.repaired, whole.repaired);
		assert_int_equal(run_with(&x, check_run, false, false).findings,
				 left.findings);
		end(&x);
	}
}

static void refused(struct fixture *x, const struct check_options *o, const char *why)
{
	struct check_result r;
	struct err e;

	assert_int_equal(check_run(x->s.store, o, &r, &e), -1);
	if (strstr(e.text, why) == NULL)
		fail_msg("%s: not %s", e.text, why);
}

static void only_the_same_is_resumed(void **state)
{
	struct check_options o;
	struct fixture x;

	(void)state;
	begin(&x);
	x.stop = 2;
	run_with(&x, check_run, false, true);
	o = options(&x, true);
	refused(&x, &o, "`popstore check --repair`");
	o.repair = o.quick = true;
	refused(&x, &o, "`popstore check --repair`");
	/* The other kind of round does not mind. */
	run_with(&x, scrub, true, false);
	assert_non_null(strstr(buf_cstr(&x.notes), "none was stopped"));
	assert_true(has_record(&x, check_run));
	x.stop = 0;
	assert_false(run_with(&x, check_run, true, true).stopped);
	end(&x);
}

/* begins_anew - where it stopped is of no use, and it says so */
static void begins_anew(struct fixture *x, const char *note)
{
	struct check_result r;

	buf_clear(&x->notes);
	x->stop = 0;
	r = run_with(x, check_run, true, false);
	assert_int_equal(r.accounts, ACCOUNTS + 1);
	assert_int_equal(r.messages, MESSAGES);
	if (strstr(buf_cstr(&x->notes), note) == NULL)
		fail_msg("%s: not %s", buf_cstr(&x->notes), note);
	assert_false(has_record(x, check_run));
}

static void a_record_that_is_of_no_use_is_not_used(void **state)
{
	struct fixture x;
	struct buf file;

	(void)state;
	begin(&x);
	begins_anew(&x, "none was stopped");

	x.stop = 3;
	run_with(&x, check_run, false, false);
	buf_init(&file, RECORD_MAX);
	scratch_read(&x.s, "store/checking", &file);
	for (size_t at = 0; at < file.n; at++) {
		scratch_write(&x.s, "store/checking", buf_str(&file));
		scratch_flip(&x.s, "store/checking", at);
		begins_anew(&x, "begins at the beginning");
		scratch_write(&x.s, "store/checking", (struct str){file.p, at});
		begins_anew(&x, "begins at the beginning");
	}
	buf_fini(&file);

	x.stop = 3;
	run_with(&x, check_run, false, false);
	assert_true(x.s.store->n_volumes > 1);
	x.s.store->n_volumes--;
	x.stop = 1;
	run_with(&x, check_run, true, false);
	assert_non_null(strstr(buf_cstr(&x.notes), "other volumes"));
	x.s.store->n_volumes++;
	end(&x);
}

/* write_state - a record whose sum is right and whose contents are not ours */
static void write_state(struct fixture *x, struct round_state *st)
{
	round_state_write(x->s.store, "checking", st);
}

static void a_record_of_another_program_does_no_harm(void **state)
{
	struct round_state st;
	struct check_options o;
	struct fixture x;
	bool found;

	(void)state;
	begin(&x);
	x.stop = 3;
	run_with(&x, check_run, false, false);
	scratch_ok(round_state_read(x.s.store, "checking", &st, &found, &e_));
	assert_true(found);
	assert_string_equal(st.what, "check");
	assert_string_equal(st.phase, "accounts");
	assert_int_equal(st.so_far.accounts, 3);
	assert_int_equal(st.pid, getpid());

	struct round_state odd = st;

	snprintf(odd.phase, sizeof odd.phase, "dreams");
	write_state(&x, &odd);
	x.stop = 0;
	o = options(&x, true);
	refused(&x, &o, "phase dreams");

	odd = st;
	odd.share = TREE_WHOLE + 1;
	write_state(&x, &odd);
	begins_anew(&x, "begins at the beginning");

	odd = st;
	odd.volume = 77;
	snprintf(odd.phase, sizeof odd.phase, "messages");
	snprintf(odd.place, sizeof odd.place, "../../..");
	write_state(&x, &odd);
	assert_false(run_with(&x, check_run, true, false).stopped);
	end(&x);
}

static void two_rounds_do_not_disturb_each_other(void **state)
{
	struct storage_lease *lease;
	struct check_options o;
	struct check_result r;
	struct fixture x;
	struct buf before, after;

	(void)state;
	begin(&x);
	x.stop = 3;
	run_with(&x, check_run, false, false);
	buf_init(&before, RECORD_MAX);
	buf_init(&after, RECORD_MAX);
	scratch_read(&x.s, "store/checking", &before);
	scratch_ok(
		storage_lease_take(store_root(x.s.store), "checking.lease", &lease, &e_));
	o = options(&x, true);
	refused(&x, &o, "still running");
	r = run_with(&x, check_run, false, false);
	assert_true(r.stopped);
	assert_false(r.resumable);
	assert_non_null(strstr(buf_cstr(&x.notes), "cannot be resumed"));
	x.stop = 0;
	run_with(&x, check_run, false, false);
	scratch_read(&x.s, "store/checking", &after);
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	storage_lease_drop(&lease);
	buf_fini(&before);
	buf_fini(&after);
	end(&x);
}

/* What is behind it is checked all the same. */
static void a_directory_that_cannot_be_read_is_a_finding(void **state)
{
	static const char *const in_the_way[] = {
		"store/accounts/00", "one/messages/20200101", "two/messages/20200101"};
	struct check_result r;
	struct fixture x;

	(void)state;
	begin(&x);
	for (size_t i = 0; i < countof(in_the_way); i++)
		scratch_write(&x.s, in_the_way[i], STR(""));
	r = run_with(&x, check_run, false, true);
	assert_int_equal(r.findings, 3);
	assert_int_equal(r.repaired, 0);
	assert_int_equal(r.accounts, ACCOUNTS + 1);
	assert_int_equal(r.messages, MESSAGES);
	assert_non_null(strstr(buf_cstr(&x.findings), "two/messages/20200101"));
	assert_int_equal(run_with(&x, scrub, false, false).findings, 2);
	end(&x);
}

/* Whichever it is, and in every phase that would list it. */
static void a_directory_that_fails_is_a_finding(void **state)
{
	static const char *const failing[] = {"store/domains", "store/forwardings",
					      "store/secrets", "store/damaged",
					      "one/damaged",   "one/messages/20200101"};
	struct fixture x;

	(void)state;
	begin(&x);
	for (size_t i = 0; i < countof(failing); i++)
		mkdir(scratch_path(&x.s, failing[i]).s, 0700);
	for (size_t i = 0; i < countof(failing); i++) {
		struct check_result r;
		struct stat st;

		assert_int_equal(stat(scratch_path(&x.s, failing[i]).s, &st), 0);
		buf_clear(&x.findings);
		bad_directory = st.st_ino;
		r = run_with(&x, check_run, false, false);
		bad_directory = 0;
		assert_int_equal(r.findings, 1);
		assert_int_equal(r.accounts, ACCOUNTS + 1);
		assert_int_equal(r.messages, MESSAGES);
		assert_non_null(strstr(buf_cstr(&x.findings), failing[i]));
	}
	end(&x);
}

static void who_only_looks_leaves_nothing(void **state)
{
	struct check_options o = {0};
	struct check_result r;
	struct fixture x;

	(void)state;
	begin(&x);
	scratch_ok(check_run(x.s.store, &o, &r, &e_));
	assert_false(scratch_exists(&x.s, "store/checking"));
	assert_false(scratch_exists(&x.s, "store/checking.lease"));
	end(&x);
}

static void status_tells_a_running_one_from_a_stopped_one(void **state)
{
	struct round r;
	struct round_state st;
	struct check_result so_far = {0};
	struct check_options o;
	struct fixture x;
	bool running;

	(void)state;
	begin(&x);
	assert_false(round_read(x.s.store, "checking", &st, &running));
	assert_false(scratch_exists(&x.s, "store/checking.lease"));

	o = options(&x, false);
	r = (struct round){
		.s = x.s.store, .name = "checking", .o = &o, .so_far = &so_far};
	scratch_ok(round_begin(&r, "check", &e_));
	assert_true(round_read(x.s.store, "checking", &st, &running) && running);
	r.stopped = true;
	scratch_ok(round_end(&r, 0, &e_));
	assert_true(round_read(x.s.store, "checking", &st, &running) && !running);
	end(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_goes_on_where_it_stopped),
		cmocka_unit_test(a_scrub_goes_on_where_it_stopped),
		cmocka_unit_test(it_may_stop_again_and_again),
		cmocka_unit_test(a_repair_goes_on_where_it_stopped),
		cmocka_unit_test(only_the_same_is_resumed),
		cmocka_unit_test(a_record_that_is_of_no_use_is_not_used),
		cmocka_unit_test(a_record_of_another_program_does_no_harm),
		cmocka_unit_test(two_rounds_do_not_disturb_each_other),
		cmocka_unit_test(a_directory_that_cannot_be_read_is_a_finding),
		cmocka_unit_test(a_directory_that_fails_is_a_finding),
		cmocka_unit_test(who_only_looks_leaves_nothing),
		cmocka_unit_test(status_tells_a_running_one_from_a_stopped_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
