/* SPDX-License-Identifier: ISC */
#include "store/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/id.h"
#include "t/unit/store/scratch.h"
#include "t/unit/store/syscalls.h"

static const char letter[] = "Subject: x\r\n\r\n..x\r\n.\r\n";
static const struct delivery_totals totals = {14 + 4, 14};

enum { PEOPLE = 5 };

struct fixture {
	struct scratch s;
	struct account a[PEOPLE];
};

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "");
	for (size_t i = 0; i < PEOPLE; i++) {
		char name[32];

		snprintf(name, sizeof name, "user%zu@example.org", i);
		x->a[i] = scratch_account(&x->s, name);
	}
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	atomic_store(&syscalls_fail_sync, false);
	scratch_end(&x->s);
	xfree(state);
	return 0;
}

/* begin - opened, for the first n people */
static struct delivery *begin(struct fixture *x, size_t n)
{
	struct delivery *d =
		delivery_begin(x->s.store, STR("sender@example.com"), STR("unit"));

	for (size_t i = 0; i < n; i++)
		assert_int_equal(delivery_rcpt(d, &x->a[i], STR("")), i);
	assert_int_equal(delivery_recipients(d), n);
	scratch_ok(delivery_open(d, &e_));
	return d;
}

static void finish(struct delivery *d)
{
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	scratch_ok(delivery_commit(d, &totals, &e_));
}

static enum verdict_code result(const struct delivery *d, size_t i)
{
	struct err why;

	return delivery_result(d, i, &why);
}

static bool holds(struct fixture *x, uint64_t id, const struct account *a)
{
	struct message *m;
	bool held = false;

	scratch_ok(message_open(x->s.store, 0, id, &m, &e_));
	assert_non_null(m);
	scratch_ok(message_slots(m, &e_));
	for (size_t i = 0; i < message_info(m)->n_slots; i++)
		if (message_info(m)->slots[i].uid == a->uid)
			held = message_info(m)->slots[i].state == '+';
	message_close(&m);
	return held;
}

static int count_file(unsigned volume UNUSED, uint64_t id UNUSED, void *ctx,
		      struct err *e UNUSED)
{
	size_t *n = ctx;

	(*n)++;
	return 0;
}

static size_t files(struct fixture *x)
{
	size_t n = 0;

	scratch_ok(message_each(x->s.store, 0, UINT64_MAX, count_file, &n, &e_));
	return n;
}

/* ---- one copy, one sync --------------------------------------------------------------- */

static void one_file_serves_all(void **state)
{
	struct fixture *x = *state;
	struct delivery *d = begin(x, PEOPLE);
	struct message *m;
	char text[64];
	size_t got;

	finish(d);
	assert_int_equal(files(x), 1);
	for (size_t i = 0; i < PEOPLE; i++) {
		assert_int_equal(result(d, i), VERDICT_OK);
		assert_int_equal(scratch_count(&x->s, &x->a[i]), 1);
		assert_true(holds(x, delivery_id(d), &x->a[i]));
	}
	scratch_ok(message_open(x->s.store, 0, delivery_id(d), &m, &e_));
	assert_true(str_eq(message_info(m)->from, STR("sender@example.com")));
	assert_true(str_eq(message_info(m)->envelope_id, STR("unit")));
	scratch_ok(message_read(m, 0, text, sizeof text, &got, &e_));
	assert_true(str_eq((struct str){text, got}, str_of(letter)));
	scratch_ok(message_verify(m, &e_));
	message_close(&m);
	delivery_end(&d);
	assert_null(d);
	delivery_end(&d);
}

static void one_sync_however_many_recipients(void **state)
{
	struct fixture *x = *state;
	uint64_t before, id;
	int tries = 0;

	/* The first delivery of a minute makes its directory. */
	do {
		before = scratch_deliver_to(&x->s, x->a, 1, letter, NULL);
		syscalls_forget();
		id = scratch_deliver_to(&x->s, x->a, PEOPLE, letter, NULL);
	} while (id_unix_ms(before) / 60000 != id_unix_ms(id) / 60000 && tries++ == 0);
	assert_string_equal(syscalls_seen, "F");
}

/* Nobody has shown that one sync is enough where a file has to have a name at once. */
static void a_file_that_had_a_hidden_name_has_its_directory_synced(void **state)
{
	struct fixture *x = *state;
	uint64_t before, id;
	int tries = 0;

	atomic_store(&syscalls_no_tmpfile, true);
	do {
		before = scratch_deliver(&x->s, x->a, letter);
		syscalls_forget();
		id = scratch_deliver(&x->s, x->a, letter);
	} while (id_unix_ms(before) / 60000 != id_unix_ms(id) / 60000 && tries++ == 0);
	atomic_store(&syscalls_no_tmpfile, false);
	/* the hidden name goes away, then the file and the directory are synced */
	assert_string_equal(syscalls_seen, "UFF");
	assert_int_equal(scratch_count(&x->s, x->a), 2 + tries * 2);
}

static void an_account_named_twice_gets_one_copy(void **state)
{
	static const char first[] = "Delivered-To: first\r\n";
	struct fixture *x = *state;
	struct delivery *d = delivery_begin(x->s.store, STR(""), STR("unit"));
	struct maildrop *m;

	assert_int_equal(delivery_rcpt(d, &x->a[0], str_of(first)), 0);
	assert_int_equal(delivery_rcpt(d, &x->a[1], STR("")), 1);
	assert_int_equal(delivery_rcpt(d, &x->a[0], STR("Delivered-To: second\r\n")), 0);
	assert_int_equal(delivery_recipients(d), 2);
	scratch_ok(delivery_open(d, &e_));
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_OK);
	scratch_ok(maildrop_look(x->s.store, &x->a[0], &m, &e_));
	assert_int_equal(maildrop_count(m), 1);
	assert_true(str_eq(maildrop_trace(m, maildrop_entry(m, 0)), str_of(first)));
	maildrop_close(&m);
	delivery_end(&d);
}

static void before_the_commit_there_is_nothing(void **state)
{
	struct fixture *x = *state;
	struct delivery *d = begin(x, 2);

	scratch_ok(delivery_write(d, str_of(letter), &e_));
	assert_int_equal(files(x), 0);
	delivery_end(&d);
	assert_int_equal(files(x), 0);
	assert_int_equal(scratch_count(&x->s, &x->a[0]), 0);
	d = delivery_begin(x->s.store, STR(""), STR(""));
	delivery_rcpt(d, &x->a[0], STR(""));
	delivery_end(&d); /* not even opened */
	/* nothing runs any more, so the checkpoint passes */
	scratch_ok(store_checkpoint(x->s.store, &e_));
}

/* check_body - the file holds n octets of a pattern, in the header's words too */
static void check_body(struct fixture *x, uint64_t id, uint64_t n)
{
	struct message *m;
	char piece[1000];
	size_t got;

	scratch_ok(message_open(x->s.store, 0, id, &m, &e_));
	assert_non_null(m);
	assert_int_equal(message_info(m)->stored, n);
	assert_int_equal(message_info(m)->size, n);
	for (uint64_t at = 0; at < n; at += got) {
		scratch_ok(message_read(m, at, piece, sizeof piece, &got, &e_));
		assert_true(got > 0);
		for (size_t i = 0; i < got; i++)
			assert_int_equal((unsigned char)piece[i], (at + i) % 251);
	}
	scratch_ok(message_verify(m, &e_));
	message_close(&m);
}

/* Small ones are written at once, large ones as they come: the same file. */
static void any_size_in_any_pieces(void **state)
{
	static const struct {
		size_t n, piece;
	} rows[] = {{1, 1},         {65535, 65535},  {65536, 65536},
		    {65537, 65537}, {65536, 1000},   {65537, 1},
		    {65536, 65535}, {300000, 16384}, {300000, 300000}};
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct delivery *d = begin(x, 2);
		char *bytes = xalloc(rows[i].n), back[300];
		size_t got;

		for (size_t k = 0; k < rows[i].n; k++)
			bytes[k] = (char)(k % 251);
		for (size_t at = 0; at < rows[i].n; at += rows[i].piece) {
			size_t left = rows[i].n - at;
			struct str piece = {bytes + at,
					    left < rows[i].piece ? left : rows[i].piece};

			scratch_ok(delivery_write(d, piece, &e_));
		}
		/* for handing it on to sendmail(1): before the commit, and after it */
		scratch_ok(delivery_read(d, rows[i].n / 2, back, sizeof back, &got, &e_));
		assert_int_equal(got, rows[i].n - rows[i].n / 2 < sizeof back
					      ? rows[i].n - rows[i].n / 2
					      : sizeof back);
		assert_memory_equal(back, bytes + rows[i].n / 2, got);
		scratch_ok(
			delivery_commit(d, &(struct delivery_totals){rows[i].n, 0}, &e_));
		scratch_ok(delivery_read(d, 0, back, 1, &got, &e_));
		assert_int_equal(got, 1);
		assert_int_equal(back[0], bytes[0]);
		check_body(x, delivery_id(d), rows[i].n);
		delivery_end(&d);
		xfree(&bytes);
	}
}

static void names_too_many_recipients_before_it_writes(void **state)
{
	/* 2800 slots of 40 octets and a trace, three octets each: far more than a header
	 * holds, and more only by less than what of the body is held back with it. */
	static const size_t trace_octets[] = {MESSAGE_TRACE_MAX, 987};
	enum { MANY = 2800 };
	struct fixture *x = *state;
	struct account a = x->a[0];
	char trace[MESSAGE_TRACE_MAX];

	memset(trace, '%', sizeof trace);
	for (size_t i = 0; i < countof(trace_octets); i++) {
		struct delivery *d = delivery_begin(x->s.store, STR(""), STR(""));
		struct err e;

		for (size_t k = 0; k < MANY; k++) {
			a.uid = k + 1;
			delivery_rcpt(d, &a, (struct str){trace, trace_octets[i]});
		}
		assert_int_equal(delivery_recipients(d), MANY);
		assert_int_equal(delivery_open(d, &e), -1);
		assert_int_equal(e.class, ERR_PERM);
		assert_string_equal(e.dsn, "5.5.3");
		delivery_end(&d);
	}
	assert_int_equal(files(x), 0);
}

/* ---- recipients who do not get it ------------------------------------------------------ */

static void set_quota(struct fixture *x, size_t i, uint64_t quota, uint64_t overdraft)
{
	x->a[i].quota = quota;
	x->a[i].overdraft = overdraft;
	scratch_ok(account_update(x->s.store, &x->a[i], &e_));
}

static void a_full_maildrop_is_refused_at_the_end_too(void **state)
{
	struct fixture *x = *state;
	struct delivery *d;

	set_quota(x, 0, totals.size + 1, 0);       /* room for one */
	set_quota(x, 1, totals.size - 1, 0);       /* for none, ever */
	set_quota(x, 2, totals.size, totals.size); /* for two */
	d = begin(x, 4);
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_OK);
	assert_int_equal(result(d, 1), VERDICT_TOO_LARGE);
	assert_int_equal(result(d, 2), VERDICT_OK);
	assert_int_equal(result(d, 3), VERDICT_OK);
	assert_false(holds(x, delivery_id(d), &x->a[1]));
	assert_true(holds(x, delivery_id(d), &x->a[3]));
	delivery_end(&d);

	d = begin(x, 4);
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_OVER_QUOTA);
	assert_int_equal(result(d, 2), VERDICT_OK);
	assert_false(holds(x, delivery_id(d), &x->a[0]));
	delivery_end(&d);

	d = begin(x, 3);
	finish(d);
	assert_int_equal(result(d, 2), VERDICT_OVER_QUOTA);
	assert_int_equal(files(x), 2); /* for nobody: not kept */
	delivery_end(&d);
	assert_int_equal(scratch_count(&x->s, &x->a[0]), 1);
	assert_int_equal(scratch_count(&x->s, &x->a[1]), 0);
	assert_int_equal(scratch_count(&x->s, &x->a[2]), 2);
	assert_int_equal(scratch_count(&x->s, &x->a[3]), 2);
}

/* A release that a power cut undoes would look like a lost line, and be delivered. */
static void refusals_are_durable_in_one_sync(void **state)
{
	struct fixture *x = *state;
	struct delivery *d;

	set_quota(x, 0, totals.size - 1, 0); /* no room, ever */
	set_quota(x, 1, totals.size - 1, 0);
	d = begin(x, 4);
	syscalls_forget();
	finish(d);
	assert_string_equal(syscalls_seen, "FooF");
	delivery_end(&d);

	d = begin(x, 2);
	syscalls_forget();
	finish(d);
	assert_string_equal(syscalls_seen, "FooUUF");
	assert_int_equal(files(x), 1);
	delivery_end(&d);
}

/* Both saw room at RCPT; the second to append sees the first. */
static void two_at_once_do_not_both_take_the_last_room(void **state)
{
	struct fixture *x = *state;
	struct delivery *first, *second;

	set_quota(x, 0, totals.size, 0);
	first = begin(x, 1);
	second = begin(x, 1);
	finish(first);
	finish(second);
	assert_int_equal(result(first, 0), VERDICT_OK);
	assert_int_equal(result(second, 0), VERDICT_OVER_QUOTA);
	delivery_end(&first);
	delivery_end(&second);
	assert_int_equal(scratch_count(&x->s, &x->a[0]), 1);
}

static void a_trace_counts_against_the_quota(void **state)
{
	struct fixture *x = *state;
	struct delivery *d = delivery_begin(x->s.store, STR(""), STR(""));

	set_quota(x, 0, totals.size, 0);
	set_quota(x, 1, totals.size, 0);
	delivery_rcpt(d, &x->a[0], STR("X: y\r\n"));
	delivery_rcpt(d, &x->a[1], STR(""));
	scratch_ok(delivery_open(d, &e_));
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_TOO_LARGE);
	assert_int_equal(result(d, 1), VERDICT_OK);
	delivery_end(&d);
}

static void an_account_deleted_meanwhile_is_no_user(void **state)
{
	struct fixture *x = *state;
	struct delivery *d = begin(x, 3);
	struct account again;

	scratch_ok(account_delete(x->s.store, &x->a[0].name, &e_));
	scratch_ok(account_delete(x->s.store, &x->a[1].name, &e_));
	again = scratch_account(&x->s, "user1@example.org");
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_NO_USER);
	assert_int_equal(result(d, 1), VERDICT_NO_USER);
	assert_int_equal(result(d, 2), VERDICT_OK);
	assert_false(holds(x, delivery_id(d), &x->a[0]));
	assert_false(holds(x, delivery_id(d), &x->a[1]));
	assert_int_equal(scratch_count(&x->s, &again), 0);
	assert_int_equal(scratch_count(&x->s, &x->a[2]), 1);
	delivery_end(&d);
}

/* Its mark is gone, its directory is not yet: the delivery makes the maildrop that it finds
 * missing there, which is no sign that a profile was lost. */
static void a_deletion_in_its_last_step_is_no_user(void **state)
{
	struct fixture *x = *state;
	struct scratch_path dir = scratch_place("accounts", x->a[0].name.s, NULL);
	struct delivery *d = begin(x, 2);

	scratch_ok(account_delete(x->s.store, &x->a[0].name, &e_));
	assert_int_equal(mkdir(scratch_path(&x->s, dir.s).s, 0700), 0);
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_NO_USER);
	assert_int_equal(result(d, 1), VERDICT_OK);
	assert_false(holds(x, delivery_id(d), &x->a[0]));
	delivery_end(&d);
}

/* The second of a name never gets what was for the first, whenever it came. */
static void an_account_made_again_gets_nothing_of_the_first(void **state)
{
	struct fixture *x = *state;
	struct delivery *d;
	struct account again;
	uint64_t before;

	before = scratch_deliver(&x->s, &x->a[0], letter);
	d = begin(x, 1);
	scratch_ok(account_delete(x->s.store, &x->a[0].name, &e_));
	assert_false(scratch_exists(&x->s, scratch_message(before).s));
	again = scratch_account(&x->s, "user0@example.org");
	scratch_deliver(&x->s, &again, letter); /* it has lines of its own by now */
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_NO_USER);
	delivery_end(&d);
	assert_int_equal(scratch_count(&x->s, &again), 1);
	assert_int_equal(files(x), 1);
}

static void a_damaged_maildrop_hurts_nobody_else(void **state)
{
	struct fixture *x = *state;
	struct scratch_path path = scratch_place("accounts", x->a[1].name.s, "maildrop");
	struct delivery *d;
	struct err why;

	scratch_deliver_to(&x->s, x->a, 3, letter, NULL);
	scratch_flip(&x->s, path.s, 60);
	d = begin(x, 3);
	finish(d);
	assert_int_equal(result(d, 0), VERDICT_OK);
	assert_int_equal(delivery_result(d, 1, &why), VERDICT_TRY_AGAIN);
	assert_non_null(strstr(why.text, "maildrop of user1@example.org is damaged"));
	assert_int_equal(result(d, 2), VERDICT_OK);
	assert_false(holds(x, delivery_id(d), &x->a[1]));
	delivery_end(&d);
	assert_int_equal(scratch_count(&x->s, &x->a[2]), 2);
}

/* ---- left out ------------------------------------------------------------------------------ */

static void who_is_left_out_holds_nothing(void **state)
{
	struct fixture *x = *state;
	struct delivery *d = begin(x, 3);
	struct err told, why = {0};

	err_set(&told, ERR_TEMP, "4.3.2", "later");
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	delivery_leave_out(d, 0, VERDICT_OK, NULL);
	delivery_leave_out(d, 2, VERDICT_TRY_AGAIN, &told);
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(result(d, 0), VERDICT_OK);
	assert_int_equal(result(d, 1), VERDICT_OK);
	assert_int_equal(delivery_result(d, 2, &why), VERDICT_TRY_AGAIN);
	assert_string_equal(why.text, "later");
	assert_false(holds(x, delivery_id(d), &x->a[0]));
	assert_true(holds(x, delivery_id(d), &x->a[1]));
	assert_false(holds(x, delivery_id(d), &x->a[2]));
	assert_int_equal(scratch_count(&x->s, &x->a[0]), 0);
	assert_int_equal(scratch_count(&x->s, &x->a[1]), 1);
	assert_int_equal(files(x), 1);
	delivery_end(&d);
}

/* That costs no sync more than the message itself, and none where nobody gets it. */
static void leaving_out_waits_for_nothing(void **state)
{
	struct fixture *x = *state;
	struct delivery *d;

	scratch_deliver(&x->s, &x->a[0], letter); /* what the first one makes */
	d = begin(x, 3);
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	delivery_leave_out(d, 0, VERDICT_OK, NULL);
	syscalls_forget();
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_string_equal(syscalls_seen, "F");
	delivery_end(&d);
	assert_int_equal(files(x), 2);

	d = begin(x, 2);
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	delivery_leave_out(d, 0, VERDICT_OK, NULL);
	delivery_leave_out(d, 1, VERDICT_NOT_RECEIVING, NULL);
	syscalls_forget();
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_string_equal(syscalls_seen, "");
	assert_int_equal(result(d, 0), VERDICT_OK);
	assert_int_equal(result(d, 1), VERDICT_NOT_RECEIVING);
	delivery_end(&d);
	assert_int_equal(files(x), 2);
	scratch_ok(store_checkpoint(x->s.store, &e_));
}

/* One is left out, the other is gone: nobody holds the file. */
static void the_last_refusal_removes_the_file(void **state)
{
	struct fixture *x = *state;
	struct delivery *d = begin(x, 2);

	scratch_ok(account_delete(x->s.store, &x->a[1].name, &e_));
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	delivery_leave_out(d, 0, VERDICT_OK, NULL);
	scratch_ok(delivery_commit(d, &totals, &e_));
	assert_int_equal(result(d, 1), VERDICT_NO_USER);
	delivery_end(&d);
	assert_int_equal(files(x), 0);
}

static void assert_reads(struct fixture *x, size_t octets, size_t max)
{
	struct delivery *d = begin(x, 1);
	char *text = xalloc(octets);
	struct str got;
	struct buf room;

	memset(text, 'x', octets);
	scratch_ok(delivery_write(d, (struct str){text, octets}, &e_));
	buf_init(&room, max);
	scratch_ok(delivery_text(d, max, &room, &got, &e_));
	assert_int_equal(got.n, octets < max ? octets : max);
	assert_memory_equal(got.p, text, got.n);
	buf_fini(&room);
	xfree(&text);
	delivery_end(&d);
}

/* In memory and not, whole and in part. */
static void what_was_written_can_be_read(void **state)
{
	assert_reads(*state, 100, 1000);
	assert_reads(*state, 1000, 100);
	assert_reads(*state, 200000, 300000);
	assert_reads(*state, 200000, 150000);
}

static void a_retry_is_known_before_the_commit(void **state)
{
	struct fixture *x = *state;
	const struct retry_key key = {1, 2}, other = {1, 3};
	uint64_t id, first;
	struct delivery *d = begin(x, 2);

	delivery_set_retry_key(d, key, 1);
	scratch_ok(delivery_find_first(d, 0, &first, &e_));
	assert_int_equal(first, 0);
	finish(d);
	id = delivery_id(d);
	delivery_end(&d);

	d = begin(x, 3);
	scratch_ok(delivery_find_first(d, 0, &first, &e_));
	assert_int_equal(first, 0); /* without a key */
	delivery_set_retry_key(d, other, 1);
	scratch_ok(delivery_find_first(d, 0, &first, &e_));
	assert_int_equal(first, 0);
	delivery_set_retry_key(d, key, 1);
	scratch_ok(delivery_find_first(d, 1, &first, &e_));
	assert_int_equal(first, id);
	scratch_ok(delivery_find_first(d, 2, &first, &e_));
	assert_int_equal(first, 0);
	delivery_end(&d);
}

/* ---- the disk ------------------------------------------------------------------------------ */

/* P3: nobody is told that it was delivered, nothing of it is left, and the volume takes
 * no more. */
static void a_failed_sync_delivers_to_nobody(void **state)
{
	struct fixture *x = *state;
	struct delivery *d = begin(x, 2);
	struct err e;

	scratch_ok(delivery_write(d, str_of(letter), &e_));
	atomic_store(&syscalls_fail_sync, true);
	assert_int_equal(delivery_commit(d, &totals, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	atomic_store(&syscalls_fail_sync, false);
	delivery_end(&d);
	assert_int_equal(files(x), 0);
	assert_int_equal(scratch_count(&x->s, &x->a[0]), 0);

	d = delivery_begin(x->s.store, STR(""), STR(""));
	delivery_rcpt(d, &x->a[0], STR(""));
	assert_int_equal(delivery_open(d, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	delivery_end(&d);
}

static void a_failed_volume_leaves_the_others(void **state UNUSED)
{
	struct fixture x = {.s = {.store = NULL}};
	struct delivery *d;
	size_t refused = 0;
	struct err e;

	scratch_begin_with(&x.s, "volumes = {%s/v1, %s/v2}", "");
	x.a[0] = scratch_account(&x.s, "user0@example.org");
	scratch_deliver(&x.s, &x.a[0], letter);
	scratch_deliver(&x.s, &x.a[0], letter);
	d = begin(&x, 1);
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	atomic_store(&syscalls_fail_sync, true);
	refused += delivery_commit(d, &totals, &e) < 0;
	atomic_store(&syscalls_fail_sync, false);
	delivery_end(&d);
	for (int i = 0; i < 4; i++)
		scratch_deliver(&x.s, &x.a[0], letter);
	assert_int_equal(refused, 1);
	assert_int_equal(scratch_count(&x.s, &x.a[0]), 6);
	scratch_end(&x.s);
}

/* ---- many at once ---------------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 25 };

static void *deliver_many(void *ctx)
{
	struct fixture *x = ctx;

	for (int i = 0; i < EACH; i++) {
		struct delivery *d = delivery_begin(x->s.store, STR(""), STR(""));
		struct err e;

		for (size_t k = 0; k < PEOPLE; k++)
			delivery_rcpt(d, &x->a[k], STR(""));
		must(delivery_open(d, &e) == 0 &&
		     delivery_write(d, str_of(letter), &e) == 0 &&
		     delivery_commit(d, &totals, &e) == 0);
		for (size_t k = 0; k < PEOPLE; k++)
			must(delivery_result(d, k, &e) == VERDICT_OK);
		delivery_end(&d);
	}
	return NULL;
}

static void any_number_deliver_at_once(void **state)
{
	struct fixture *x = *state;
	pthread_t t[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, deliver_many, x), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(files(x), THREADS * EACH);
	for (size_t k = 0; k < PEOPLE; k++) {
		struct maildrop *m;
		uint64_t octets = 0;
		struct account_usage use;

		scratch_ok(maildrop_look(x->s.store, &x->a[k], &m, &e_));
		assert_int_equal(maildrop_count(m), THREADS * EACH);
		for (size_t i = 0; i < maildrop_count(m); i++)
			octets += maildrop_entry(m, i)->size;
		maildrop_close(&m);
		scratch_ok(account_usage(x->s.store, &x->a[k], &use, &e_));
		assert_int_equal(use.octets, octets);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(one_file_serves_all),
		TEST(one_sync_however_many_recipients),
		TEST(a_file_that_had_a_hidden_name_has_its_directory_synced),
		TEST(an_account_named_twice_gets_one_copy),
		TEST(before_the_commit_there_is_nothing),
		TEST(any_size_in_any_pieces),
		TEST(names_too_many_recipients_before_it_writes),
		TEST(a_full_maildrop_is_refused_at_the_end_too),
		TEST(refusals_are_durable_in_one_sync),
		TEST(two_at_once_do_not_both_take_the_last_room),
		TEST(a_trace_counts_against_the_quota),
		TEST(an_account_deleted_meanwhile_is_no_user),
		TEST(a_deletion_in_its_last_step_is_no_user),
		TEST(an_account_made_again_gets_nothing_of_the_first),
		TEST(a_damaged_maildrop_hurts_nobody_else),
		TEST(who_is_left_out_holds_nothing),
		TEST(leaving_out_waits_for_nothing),
		TEST(the_last_refusal_removes_the_file),
		TEST(what_was_written_can_be_read),
		TEST(a_retry_is_known_before_the_commit),
		TEST(a_failed_sync_delivers_to_nobody),
		cmocka_unit_test(a_failed_volume_leaves_the_others),
		TEST(any_number_deliver_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
