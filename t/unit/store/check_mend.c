/* SPDX-License-Identifier: ISC */
#include "store/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/id.h"
#include "store/message_mend.h"
#include "t/unit/store/scratch.h"

static const char text[] = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";
static const char trace[] = "Delivered-To: alice@example.org\r\n";

enum { ALICE, BOB, CAROL, ACCOUNTS, ALL = 4096 };

struct fixture {
	struct scratch s;
	struct account a[ACCOUNTS];
	uint64_t id; /* a message to all three, with a trace for alice */
	struct buf good;
	char all[ALL]; /* that was found, a line each */
	struct check_finding last;
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
	struct check_options o = {.repair = repair, .finding = keep, .ctx = x};
	struct check_result r;

	x->last = (struct check_finding){0};
	x->all[0] = '\0';
	scratch_ok(check_run(x->s.store, &o, &r, &e_));
	return r;
}

static uint64_t deliver(struct fixture *x, const char *what)
{
	struct delivery *d =
		delivery_begin(x->s.store, STR("sender@example.com"), STR("unit"));
	struct delivery_totals totals;
	struct dotstream ds;
	uint64_t id;

	dotstream_init(&ds);
	assert_int_equal(dotstream_feed(&ds, str_of(what)), strlen(what));
	totals = (struct delivery_totals){ds.size, ds.header_end};
	for (size_t i = 0; i < ACCOUNTS; i++)
		delivery_rcpt(d, &x->a[i], i == ALICE ? str_of(trace) : STR(""));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(what), &e_));
	scratch_ok(delivery_commit(d, &totals, &e_));
	id = delivery_id(d);
	delivery_end(&d);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	return id;
}

static void read_good(struct fixture *x)
{
	buf_clear(&x->good);
	scratch_read(&x->s, scratch_message(x->id).s, &x->good);
}

static void begin(struct fixture *x)
{
	*x = (struct fixture){0};
	scratch_begin_with(&x->s, "", "");
	buf_init(&x->good, 1 << 20);
	x->a[ALICE] = scratch_account(&x->s, "alice@example.org");
	x->a[BOB] = scratch_account(&x->s, "bob@example.org");
	x->a[CAROL] = scratch_account(&x->s, "carol@example.org");
	x->id = deliver(x, text);
	read_good(x);
}

static void end(struct fixture *x)
{
	buf_fini(&x->good);
	scratch_end(&x->s);
}

/* is_as_before - the message file, to the octet */
static bool is_as_before(struct fixture *x)
{
	struct buf now;
	bool same;

	buf_init(&now, 1 << 20);
	scratch_read(&x->s, scratch_message(x->id).s, &now);
	same = str_eq(buf_str(&now), buf_str(&x->good));
	buf_fini(&now);
	return same;
}

static size_t header(const struct fixture *x)
{
	return (size_t)(strstr(buf_cstr(&x->good), "\n\n") - x->good.p) + 2;
}

/* zero - some octets of the message's file; `at` counts from what is found in it */
static void zero(struct fixture *x, const char *from, size_t at, size_t n)
{
	static const char zeros[512];
	const char *p = strstr(buf_cstr(&x->good), from);
	int fd = open(scratch_path(&x->s, scratch_message(x->id).s).s, O_WRONLY);

	assert_non_null(p);
	assert_int_equal(pwrite(fd, zeros, n, p - x->good.p + (off_t)at), n);
	close(fd);
}

static void move(struct fixture *x, const char *from, const char *to)
{
	struct scratch_path dir = scratch_path(&x->s, to);

	for (int level = 0; level < 2; level++)
		*strrchr(dir.s, '/') = '\0';
	mkdir(dir.s, 0700);
	dir = scratch_path(&x->s, to);
	*strrchr(dir.s, '/') = '\0';
	mkdir(dir.s, 0700);
	assert_int_equal(rename(scratch_path(&x->s, from).s, scratch_path(&x->s, to).s),
			 0);
}

static void finds(struct fixture *x, size_t n, const char *word)
{
	assert_int_equal(run(x, false).findings, n);
	if (strstr(x->all, word) == NULL)
		fail_msg("%s", x->all);
}

static void is_mended(struct fixture *x)
{
	struct check_result r = run(x, true);

	if (r.findings == 0 || r.repaired != r.findings)
		fail_msg("%s", x->all);
	if (run(x, false).findings != 0)
		fail_msg("%s", x->all);
}

/* each of them has n messages and can read them */
static void all_have(struct fixture *x, size_t n)
{
	for (size_t i = 0; i < ACCOUNTS; i++)
		assert_int_equal(scratch_count(&x->s, &x->a[i]), n);
}

static void a_flipped_octet_of_a_header_is_mended(void **state UNUSED)
{
	struct fixture x;

	begin(&x);
	for (size_t at = 0; at < header(&x); at += at % 7 + 1) {
		scratch_flip(&x.s, scratch_message(x.id).s, at);
		finds(&x, 1, "alice@example.org, bob@example.org, carol@example.org");
		is_mended(&x);
		if (!is_as_before(&x))
			fail_msg("octet %zu", at);
	}
	all_have(&x, 1);
	end(&x);
}

static void a_zeroed_block_is_mended_from_maildrops(void **state UNUSED)
{
	static const struct {
		const char *from;
		size_t n;
	} rows[] = {{"popstore", 160}, {"stored", 60},     {"body-sum", 20},
		    {"env-id", 7},     {"rcpt + bob", 30}, {"rcpt + alice", 150},
		    {"head-sum", 170}};
	struct fixture x;

	begin(&x);
	for (size_t i = 0; i < countof(rows); i++) {
		zero(&x, rows[i].from, 0, rows[i].n);
		is_mended(&x);
		if (!is_as_before(&x))
			fail_msg("%s", rows[i].from);
	}
	/* Neither the sum nor anything else says now that it is this message. */
	zero(&x, "head-sum", 0, 60);
	zero(&x, "id ", 0, 10);
	assert_int_equal(run(&x, true).repaired, 0);
	assert_non_null(strstr(x.all, "too much of its head is lost"));
	end(&x);
}

static void remove_it(struct fixture *x, size_t who)
{
	struct maildrop *m;

	scratch_ok(maildrop_open(x->s.store, &x->a[who], &m, &e_));
	maildrop_entry(m, 0)->removed = true;
	scratch_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);
}

static void who_released_it_is_not_given_it_back(void **state UNUSED)
{
	struct fixture x;

	begin(&x);
	remove_it(&x, BOB);
	read_good(&x);
	zero(&x, "rcpt + alice", 0, 50);
	is_mended(&x);
	assert_true(is_as_before(&x));
	zero(&x, "slot-sum", 0, 26);
	is_mended(&x);
	assert_true(is_as_before(&x));
	/* His state alone: it is held again, and let go for what his maildrop says. */
	zero(&x, "rcpt - bob", 5, 1);
	run(&x, true);
	assert_int_equal(run(&x, false).findings, 0);
	assert_true(is_as_before(&x));
	assert_int_equal(scratch_count(&x.s, &x.a[BOB]), 0);
	assert_int_equal(scratch_count(&x.s, &x.a[CAROL]), 1);
	end(&x);
}

static void a_lost_recipient_is_held_for_ever(void **state UNUSED)
{
	struct fixture x;
	struct store_recovery r;

	begin(&x);
	remove_it(&x, BOB);
	read_good(&x);
	zero(&x, "rcpt - bob", 0, 30);
	run(&x, true);
	assert_non_null(strstr(x.all, "lines were lost"));
	for (int i = 0; i < 2; i++) {
		finds(&x, 1, "--release-unowned");
		assert_int_equal(run(&x, true).findings, 1);
		scratch_ok(store_recover(x.s.store, &r, &e_));
	}
	remove_it(&x, ALICE);
	remove_it(&x, CAROL);
	assert_true(scratch_exists(&x.s, scratch_message(x.id).s));
	finds(&x, 1, "--release-unowned");
	end(&x);
}

static void no_filler_while_a_maildrop_cannot_be_read(void **state UNUSED)
{
	struct fixture x;
	struct maildrop *m;

	begin(&x);
	zero(&x, "rcpt + bob", 0, 30);
	scratch_flip(&x.s, scratch_place("accounts", "bob@example.org", "maildrop").s,
		     60);
	/* A session keeps it from being made again. */
	struct scratch_path p = scratch_place("accounts", "bob@example.org", "maildrop");

	assert_int_equal(rename(scratch_path(&x.s, p.s).s, scratch_path(&x.s, "keep").s),
			 0);
	scratch_ok(maildrop_open(x.s.store, &x.a[BOB], &m, &e_));
	assert_int_equal(rename(scratch_path(&x.s, "keep").s, scratch_path(&x.s, p.s).s),
			 0);
	run(&x, true);
	assert_non_null(strstr(x.all, "mend those first"));
	maildrop_close(&m);
	end(&x);
}

static void what_is_not_whole_is_named_with_its_owners(void **state UNUSED)
{
	struct fixture x;

	begin(&x);
	remove_it(&x, BOB);
	read_good(&x);
	scratch_flip(&x.s, scratch_message(x.id).s, x.good.n - 8);
	for (int damage = 0; damage < 3; damage++) {
		assert_int_equal(run(&x, true).findings, 1);
		assert_string_equal(x.last.invariant, "I8");
		assert_false(x.last.repaired);
		assert_non_null(strstr(x.last.what,
				       "it is of alice@example.org, carol@example.org"));
		if (damage == 0)
			scratch_flip(&x.s, scratch_message(x.id).s, 100);
		if (damage == 1)
			zero(&x, "stored", 0, 60);
	}
	end(&x);
}

/* exchange - two files */
static void exchange(struct fixture *x, const char *a, const char *b)
{
	move(x, a, "store/swap/swap/swap");
	move(x, b, a);
	move(x, "store/swap/swap/swap", b);
}

static void exchanged_files_are_exchanged_back(void **state UNUSED)
{
	struct fixture x;
	uint64_t other;

	begin(&x);
	other = deliver(&x, "Subject: y\r\n\r\n..dot\r\nend\r\n.\r\n");
	exchange(&x, scratch_message(x.id).s, scratch_message(other).s);
	finds(&x, 2, id_print(other).c);
	is_mended(&x);
	assert_true(is_as_before(&x));
	all_have(&x, 2);

	/* One of them only. */
	move(&x, scratch_message(other).s, "store/lost");
	move(&x, scratch_message(x.id).s, scratch_message(other).s);
	assert_int_equal(run(&x, true).repaired, 1 + ACCOUNTS); /* one is gone */
	assert_true(is_as_before(&x));
	all_have(&x, 1);
	assert_int_equal(run(&x, false).findings, 0);
	end(&x);
}

static void a_file_in_another_minute_comes_home(void **state UNUSED)
{
	static const char *const dirs[] = {"20200101/0000", "20200101/none",
					   "2p261121/2013", "lost/found"};
	struct scratch_path there;
	struct fixture x;

	begin(&x);
	for (size_t i = 0; i < countof(dirs); i++) {
		snprintf(there.s, sizeof there.s, "store/messages/%s/%s", dirs[i],
			 id_print(x.id).c);
		move(&x, scratch_message(x.id).s, there.s);
		run(&x, false);
		assert_non_null(strstr(x.all, "wrong place"));
		is_mended(&x);
		assert_true(is_as_before(&x));
		assert_false(scratch_exists(&x.s, there.s));
	}
	/* its name is damaged */
	snprintf(there.s, sizeof there.s, "%s", scratch_message(x.id).s);
	there.s[strlen(there.s) - 1] = 'z';
	move(&x, scratch_message(x.id).s, there.s);
	is_mended(&x);
	/* its head, too */
	snprintf(there.s, sizeof there.s, "store/messages/20200101/0000/%s",
		 id_print(x.id).c);
	move(&x, scratch_message(x.id).s, there.s);
	scratch_flip(&x.s, there.s, 100);
	is_mended(&x);
	assert_true(is_as_before(&x));
	all_have(&x, 1);
	end(&x);
}

static void foreign_names_are_left_alone(void **state UNUSED)
{
	struct scratch_path copy;
	struct fixture x;

	begin(&x);
	snprintf(copy.s, sizeof copy.s, "%s.orig", scratch_message(x.id).s);
	scratch_write(&x.s, copy.s, buf_str(&x.good));
	scratch_write(&x.s, "store/messages/README", STR("x"));
	move(&x, "store/messages/README", "store/messages/lost+found/0000/README");
	scratch_write(&x.s, "store/messages/README", STR("x"));
	assert_int_equal(run(&x, true).findings, 0);
	assert_true(scratch_exists(&x.s, copy.s));
	assert_true(scratch_exists(&x.s, "store/messages/README"));
	end(&x);
}

static void what_was_set_aside_comes_back_if_it_is_whole(void **state UNUSED)
{
	struct scratch_path aside;
	struct fixture x;

	begin(&x);
	snprintf(aside.s, sizeof aside.s, "store/damaged/%s", id_print(x.id).c);
	scratch_ok(message_set_aside(x.s.store, 0, x.id, &e_));
	run(&x, false);
	assert_non_null(strstr(x.all, aside.s));
	is_mended(&x);
	assert_true(is_as_before(&x));
	all_have(&x, 1);

	scratch_ok(message_set_aside(x.s.store, 0, x.id, &e_));
	scratch_write(&x.s, scratch_message(x.id).s, STR("half"));
	scratch_ok(message_set_aside(x.s.store, 0, x.id, &e_));
	snprintf(aside.s, sizeof aside.s, "store/damaged/%s.1", id_print(x.id).c);
	assert_true(scratch_exists(&x.s, aside.s));
	run(&x, true);
	assert_true(is_as_before(&x));
	all_have(&x, 1);
	finds(&x, 1, "remove it when you have looked at it");
	assert_non_null(strstr(x.last.what, "alice@example.org"));
	assert_int_equal(unlink(scratch_path(&x.s, aside.s).s), 0);
	assert_int_equal(run(&x, false).findings, 0);
	end(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flipped_octet_of_a_header_is_mended),
		cmocka_unit_test(a_zeroed_block_is_mended_from_maildrops),
		cmocka_unit_test(who_released_it_is_not_given_it_back),
		cmocka_unit_test(a_lost_recipient_is_held_for_ever),
		cmocka_unit_test(no_filler_while_a_maildrop_cannot_be_read),
		cmocka_unit_test(what_is_not_whole_is_named_with_its_owners),
		cmocka_unit_test(exchanged_files_are_exchanged_back),
		cmocka_unit_test(a_file_in_another_minute_comes_home),
		cmocka_unit_test(foreign_names_are_left_alone),
		cmocka_unit_test(what_was_set_aside_comes_back_if_it_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
