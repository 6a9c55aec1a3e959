/* SPDX-License-Identifier: ISC */
#include "store/maildrop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/conn.h"
#include "store/id.h"
#include "store/maildrop_line.h"
#include "t/unit/store/scratch.h"
#include "t/unit/store/syscalls.h"

static const char letter[] = "Subject: x\r\n\r\n..x\r\n.\r\n";
enum { SIZE = 14 + 4 }; /* octets as RFC 1939 counts them */

struct fixture {
	struct scratch s;
	struct account alice, bob;
};

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "");
	x->alice = scratch_account(&x->s, "alice@example.org");
	x->bob = scratch_account(&x->s, "bob@example.org");
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

static struct maildrop *session(struct fixture *x, const struct account *a)
{
	struct maildrop *m;

	scratch_ok(maildrop_open(x->s.store, a, &m, &e_));
	assert_non_null(m);
	return m;
}

static struct maildrop *look(struct fixture *x, const struct account *a)
{
	struct maildrop *m;

	scratch_ok(maildrop_look(x->s.store, a, &m, &e_));
	assert_non_null(m);
	return m;
}

static void commit(struct maildrop *m)
{
	struct err e = {0};

	assert_int_equal(maildrop_commit(m, &e), 0);
	if (e.class != ERR_NONE)
		fail_msg("%s", e.text);
}

/* remove_first - a session that removes n messages and ends */
static void remove_first(struct fixture *x, const struct account *a, size_t n)
{
	struct maildrop *m = session(x, a);

	for (size_t i = 0; i < n; i++)
		maildrop_entry(m, i)->removed = true;
	commit(m);
	maildrop_close(&m);
}

static size_t count(struct fixture *x, const struct account *a)
{
	struct maildrop *m = look(x, a);
	size_t n = maildrop_count(m);

	maildrop_close(&m);
	return n;
}

static struct scratch_path file_of(const struct account *a)
{
	return scratch_place("accounts", a->name.s, "maildrop");
}

/* lines_of - how many lines of this event the file has */
static size_t lines_of(struct fixture *x, const struct account *a,
		       enum maildrop_event event)
{
	struct buf text;
	struct str rest;
	size_t n = 0;

	buf_init(&text, 1 << 20);
	scratch_read(&x->s, file_of(a).s, &text);
	for (rest = buf_str(&text); rest.n > 0;) {
		struct maildrop_line l;

		assert_true(maildrop_line_parse(str_cut(&rest, '\n'), a->uid, &l));
		n += l.event == event;
	}
	buf_fini(&text);
	return n;
}

/* ---- reading ----------------------------------------------------------------------------- */

static void before_the_first_message_it_is_empty(void **state)
{
	struct fixture *x = *state;
	struct maildrop *m = session(x, &x->alice);

	assert_int_equal(maildrop_count(m), 0);
	commit(m);
	maildrop_close(&m);
	assert_null(m);
	maildrop_close(&m);
	assert_int_equal(scratch_count(&x->s, &x->alice), 0);
	assert_false(scratch_exists(&x->s, file_of(&x->alice).s));
}

static void shows_what_was_delivered_in_its_order(void **state)
{
	struct fixture *x = *state;
	struct account_usage use;
	uint64_t ids[3];
	struct maildrop *m;

	for (size_t i = 0; i < countof(ids); i++)
		ids[i] = scratch_deliver(&x->s, &x->alice, letter);
	m = look(x, &x->alice);
	assert_int_equal(maildrop_count(m), countof(ids));
	for (size_t i = 0; i < countof(ids); i++) {
		const struct maildrop_entry *en = maildrop_entry(m, i);

		assert_true(en->id == ids[i]);
		assert_int_equal(en->size, SIZE);
		assert_int_equal(en->stored, sizeof letter - 1);
		assert_int_equal(en->header_end, 14);
		assert_int_equal(en->volume, 0);
		assert_false(en->read || en->seen || en->removed);
		assert_int_equal(maildrop_trace(m, en).n, 0);
	}
	maildrop_close(&m);
	scratch_ok(account_usage(x->s.store, &x->alice, &use, &e_));
	assert_int_equal(use.messages, 3);
	assert_int_equal(use.octets, 3 * SIZE);
}

static void a_trace_is_the_recipients_own_and_counts(void **state)
{
	static const char trace[] = "Delivered-To: 50% alice@example.org\r\n";
	struct fixture *x = *state;
	struct delivery *d = delivery_begin(x->s.store, STR(""), STR("unit"));
	struct delivery_totals totals = {SIZE, 14};
	struct maildrop *m;
	const struct maildrop_entry *en;

	delivery_rcpt(d, &x->alice, str_of(trace));
	delivery_rcpt(d, &x->bob, STR(""));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	scratch_ok(delivery_commit(d, &totals, &e_));
	delivery_end(&d);
	m = look(x, &x->alice);
	en = maildrop_entry(m, 0);
	assert_int_equal(en->size, SIZE + sizeof trace - 1);
	assert_true(str_eq(maildrop_trace(m, en), str_of(trace)));
	maildrop_close(&m);
	m = look(x, &x->bob);
	assert_int_equal(maildrop_entry(m, 0)->size, SIZE);
	maildrop_close(&m);
}

/* ---- the session ------------------------------------------------------------------------------ */

static void one_session_at_a_time(void **state)
{
	struct fixture *x = *state;
	struct maildrop *m = session(x, &x->alice), *other;

	scratch_ok(maildrop_open(x->s.store, &x->alice, &other, &e_));
	assert_null(other);
	other = session(x, &x->bob);
	maildrop_close(&other);
	other = look(x, &x->alice); /* looking needs no lease */
	maildrop_close(&other);
	maildrop_close(&m);
	m = session(x, &x->alice);
	maildrop_close(&m);
}

static void works_on_what_it_read_at_login(void **state)
{
	struct fixture *x = *state;
	uint64_t first = scratch_deliver(&x->s, &x->alice, letter), late;
	struct maildrop *m = session(x, &x->alice);

	late = scratch_deliver(&x->s, &x->alice, letter);
	assert_int_equal(maildrop_count(m), 1);
	maildrop_entry(m, 0)->removed = true;
	commit(m);
	maildrop_close(&m);
	assert_false(scratch_exists(&x->s, scratch_message(first).s));
	m = session(x, &x->alice);
	assert_int_equal(maildrop_count(m), 1);
	assert_true(maildrop_entry(m, 0)->id == late);
	maildrop_close(&m);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
}

static void without_a_commit_nothing_is_removed(void **state)
{
	struct fixture *x = *state;
	uint64_t id = scratch_deliver(&x->s, &x->alice, letter);
	struct maildrop *m = session(x, &x->alice);

	maildrop_entry(m, 0)->removed = true;
	maildrop_close(&m);
	assert_int_equal(count(x, &x->alice), 1);
	assert_true(scratch_exists(&x->s, scratch_message(id).s));
}

static void remembers_what_was_read(void **state)
{
	struct fixture *x = *state;
	struct maildrop *m;

	scratch_deliver(&x->s, &x->alice, letter);
	scratch_deliver(&x->s, &x->alice, letter);
	m = session(x, &x->alice);
	maildrop_entry(m, 1)->seen = true;
	syscalls_forget();
	commit(m);
	assert_int_equal(syscalls_count('F'), 0); /* not worth waiting for */
	maildrop_close(&m);
	m = session(x, &x->alice);
	assert_false(maildrop_entry(m, 0)->read);
	assert_true(maildrop_entry(m, 1)->read);
	maildrop_entry(m, 1)->seen = true;
	commit(m);
	maildrop_close(&m);
	assert_int_equal(lines_of(x, &x->alice, MAILDROP_READ), 1);
	assert_int_equal(scratch_count(&x->s, &x->alice), 2);
}

static void remembers_when_it_was_opened(void **state)
{
	struct fixture *x = *state;
	uint64_t before = clock_unix_ms();
	struct maildrop *m = session(x, &x->alice);

	assert_int_equal(maildrop_last_open_ms(m), 0);
	scratch_ok(maildrop_touch(m, &e_));
	maildrop_close(&m);
	m = session(x, &x->alice);
	assert_true(maildrop_last_open_ms(m) >= before &&
		    maildrop_last_open_ms(m) <= clock_unix_ms());
	maildrop_close(&m);
}

/* P4, P6: first the lines, then the disk, then the slots, then the files. */
static void removal_is_durable_before_anything_is_let_go(void **state)
{
	struct fixture *x = *state;
	struct account both[2] = {x->alice, x->bob};
	struct maildrop *m;

	scratch_deliver(&x->s, &x->alice, letter);
	scratch_deliver_to(&x->s, both, 2, letter, NULL);
	scratch_deliver(&x->s, &x->alice, letter);
	m = session(x, &x->alice);
	for (size_t i = 0; i < 3; i++)
		maildrop_entry(m, i)->removed = true;
	syscalls_forget();
	commit(m);
	assert_string_equal(syscalls_seen, "FoUooU");
	maildrop_close(&m);
	assert_int_equal(count(x, &x->bob), 1);
}

/* A power cut must leave a beginning of what a session wrote, and no hole in it: what
 * fills a block is durable before the next is begun. */
static void a_long_session_is_durable_block_by_block(void **state)
{
	struct fixture *x = *state;
	struct maildrop *m;

	for (size_t i = 0; i < 90; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	m = session(x, &x->alice);
	for (size_t i = 0; i < 90; i++)
		maildrop_entry(m, i)->seen = true;
	syscalls_forget();
	commit(m);
	/* 90 lines of 40 to 60 octets; the last block need not be durable. */
	assert_string_equal(syscalls_seen, "F");
	maildrop_close(&m);
	syscalls_forget();
	remove_first(x, &x->alice, 90);
	assert_memory_equal(syscalls_seen, "FFo", 3);
}

/* P3: what could not be made durable is not removed, and is not tried again. */
static void a_failed_sync_removes_nothing(void **state)
{
	struct fixture *x = *state;
	uint64_t id = scratch_deliver(&x->s, &x->alice, letter);
	struct maildrop *m = session(x, &x->alice);
	struct err e;

	maildrop_entry(m, 0)->removed = true;
	atomic_store(&syscalls_fail_sync, true);
	syscalls_forget();
	assert_int_equal(maildrop_commit(m, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(syscalls_seen, "F");
	atomic_store(&syscalls_fail_sync, false);
	assert_int_equal(maildrop_commit(m, &e), -1);
	assert_string_equal(syscalls_seen, "F");
	assert_true(scratch_exists(&x->s, scratch_message(id).s));
	maildrop_close(&m);
}

/* P3: the sync of the disk with the message files failed, not that of the maildrops. */
static void deleting_goes_on_where_a_sync_of_the_volume_failed(void **state)
{
	struct fixture *x = *state;
	uint64_t id = scratch_deliver(&x->s, &x->alice, letter);
	struct storage *volume = x->s.store->volumes[0].storage;
	struct delivery *d = delivery_begin(x->s.store, STR(""), STR(""));
	struct maildrop *m = session(x, &x->alice);
	struct err e;

	atomic_store(&syscalls_fail_sync, true);
	assert_int_equal(storage_sync(volume, &e), -1);
	atomic_store(&syscalls_fail_sync, false);
	delivery_rcpt(d, &x->alice, STR(""));
	assert_int_equal(delivery_open(d, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	delivery_end(&d);
	maildrop_entry(m, 0)->removed = true;
	commit(m);
	maildrop_close(&m);
	assert_false(scratch_exists(&x->s, scratch_message(id).s));
}

/* ---- damage ------------------------------------------------------------------------------------- */

static void append_to(struct fixture *x, const struct account *a, const char *text)
{
	int fd = open(scratch_path(&x->s, file_of(a).s).s,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void the_next_writer_cuts_a_torn_tail(void **state)
{
	static const char *const torn[] = {
		"2", "2 + ", "2 + 1ik5bm2ko0405 0 268 82 53 43 - 1 82 1a5e47dbd7d8e23"};
	struct fixture *x = *state;

	scratch_deliver(&x->s, &x->alice, letter);
	for (size_t i = 0; i < countof(torn); i++) {
		append_to(x, &x->alice, torn[i]);
		assert_int_equal(count(x, &x->alice), i + 1);
		assert_int_equal(scratch_count(&x->s, &x->alice), i + 1);
		scratch_deliver(&x->s, &x->alice, letter);
		assert_int_equal(count(x, &x->alice), i + 2);
	}
	/* a session's end is a writer too */
	append_to(x, &x->alice, torn[1]);
	remove_first(x, &x->alice, 4);
	assert_int_equal(count(x, &x->alice), 0);
}

/* What a disk leaves that made the file longer and lost what was written there. */
static void zeros_at_the_end_are_a_torn_tail(void **state)
{
	static const off_t zeros[] = {1, 4096, 8191, 8192, 8193, 20000, 100000};
	struct fixture *x = *state;
	struct scratch_path path = scratch_path(&x->s, file_of(&x->alice).s);

	scratch_deliver(&x->s, &x->alice, letter);
	for (size_t i = 0; i < countof(zeros); i++) {
		struct stat st;

		if (i % 2)
			append_to(x, &x->alice, "2 + 1ik5bm2ko0405 0 26");
		assert_int_equal(stat(path.s, &st), 0);
		assert_int_equal(truncate(path.s, st.st_size + zeros[i]), 0);
		assert_int_equal(count(x, &x->alice), i + 1);
		assert_int_equal(scratch_count(&x->s, &x->alice), i + 1);
		scratch_deliver(&x->s, &x->alice, letter);
		assert_int_equal(count(x, &x->alice), i + 2);
	}
	/* and all of it */
	assert_int_equal(truncate(path.s, 0), 0);
	assert_int_equal(truncate(path.s, 20000), 0);
	assert_int_equal(count(x, &x->alice), 0);
	scratch_deliver(&x->s, &x->alice, letter);
	assert_int_equal(count(x, &x->alice), 1);
}

static void a_torn_header_is_written_again(void **state)
{
	struct fixture *x = *state;

	append_to(x, &x->alice, "popstore-maildr");
	assert_int_equal(count(x, &x->alice), 0);
	assert_int_equal(scratch_count(&x->s, &x->alice), 0);
	scratch_deliver(&x->s, &x->alice, letter);
	assert_int_equal(count(x, &x->alice), 1);
}

/* Each octet of the file once: it is named, and nobody else notices. */
static void a_flipped_octet_is_damage_for_one_account(void **state)
{
	struct fixture *x = *state;
	struct scratch_path path = file_of(&x->alice);
	struct maildrop *m;
	struct stat st;
	struct err e;

	scratch_deliver(&x->s, &x->alice, letter);
	scratch_deliver(&x->s, &x->bob, letter);
	remove_first(x, &x->alice, 1);
	scratch_deliver(&x->s, &x->alice, letter);
	assert_int_equal(stat(scratch_path(&x->s, path.s).s, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		scratch_flip(&x->s, path.s, (size_t)at);
		assert_int_equal(maildrop_look(x->s.store, &x->alice, &m, &e), -1);
		assert_null(m);
		assert_int_equal(e.class, ERR_TEMP);
		assert_non_null(
			strstr(e.text, "maildrop of alice@example.org is damaged"));
		assert_int_equal(maildrop_open(x->s.store, &x->alice, &m, &e), -1);
		assert_int_equal(count(x, &x->bob), 1);
		scratch_flip(&x->s, path.s, (size_t)at);
	}
	assert_int_equal(count(x, &x->alice), 1);
}

static void nothing_is_appended_to_a_damaged_end(void **state)
{
	struct fixture *x = *state;
	struct scratch_path path = file_of(&x->alice);
	struct maildrop_add add = {.id = 1, .size = 1};
	uint64_t messages, octets;
	struct stat st, after;
	struct err e;
	struct maildrop_answer answer;

	scratch_deliver(&x->s, &x->alice, letter);
	assert_int_equal(stat(scratch_path(&x->s, path.s).s, &st), 0);
	for (off_t at = 51; at < st.st_size; at++) { /* the header has 51 */
		scratch_flip(&x->s, path.s, (size_t)at);
		assert_int_equal(
			maildrop_append(x->s.store, &x->alice, &add, &answer, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_int_equal(
			maildrop_totals(x->s.store, &x->alice, &messages, &octets, &e),
			-1);
		scratch_flip(&x->s, path.s, (size_t)at);
	}
	assert_int_equal(stat(scratch_path(&x->s, path.s).s, &after), 0);
	assert_int_equal(after.st_size, st.st_size);
	assert_int_equal(count(x, &x->alice), 1);
}

static void lines_that_are_missing_or_anothers_are_damage(void **state)
{
	struct fixture *x = *state;
	struct maildrop *m;
	struct buf text;
	struct err e;

	for (int i = 0; i < 3; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	buf_init(&text, 4096);
	scratch_read(&x->s, file_of(&x->alice).s, &text);

	struct str rest = buf_str(&text), header = str_cut(&rest, '\n'),
		   first = str_cut(&rest, '\n');

	/* without the second line */
	scratch_write(&x->s, file_of(&x->alice).s, (struct str){header.p, header.n + 1});
	append_to(x, &x->alice, rest.p);
	assert_int_equal(maildrop_look(x->s.store, &x->alice, &m, &e), -1);
	assert_non_null(strstr(e.text, "a line is missing"));
	/* without its header */
	scratch_write(&x->s, file_of(&x->alice).s,
		      (struct str){first.p, first.n + 1 + rest.n});
	assert_int_equal(maildrop_look(x->s.store, &x->alice, &m, &e), -1);
	/* the file of another */
	scratch_write(&x->s, file_of(&x->bob).s, buf_str(&text));
	assert_int_equal(maildrop_look(x->s.store, &x->bob, &m, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	buf_fini(&text);
}

/* ---- compaction --------------------------------------------------------------------------------------- */

static void history_is_forgotten_behind_the_checkpoint(void **state)
{
	enum { MANY = 100 };
	struct fixture *x = *state;
	uint64_t kept;

	for (int i = 0; i < MANY; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	for (int i = 0; i < MANY / 2; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	kept = scratch_deliver(&x->s, &x->alice, letter);
	remove_first(x, &x->alice, MANY + MANY / 2);

	/* Recovery asks for what is newer than the checkpoint: that is kept. */
	assert_int_equal(lines_of(x, &x->alice, MAILDROP_ADDED), 1);
	assert_int_equal(lines_of(x, &x->alice, MAILDROP_REMOVED), MANY / 2);

	struct maildrop *m = session(x, &x->alice);

	assert_int_equal(maildrop_count(m), 1);
	assert_true(maildrop_entry(m, 0)->id == kept);
	maildrop_close(&m);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);

	/* and when the checkpoint has passed them too, the next one forgets them */
	for (int i = 0; i < MANY; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	remove_first(x, &x->alice, MANY);
	assert_int_equal(lines_of(x, &x->alice, MAILDROP_REMOVED), 0);
	assert_int_equal(count(x, &x->alice), 1);
	assert_int_equal(scratch_count(&x->s, &x->alice), 1);
}

/* Only what is rewritten forgets, so only then is there something to make durable. */
static void a_file_that_is_not_rewritten_costs_no_more(void **state)
{
	enum { MANY = 150 };
	struct fixture *x = *state;

	for (int i = 0; i < MANY; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	syscalls_forget();
	remove_first(x, &x->alice, 1);
	assert_string_equal(syscalls_seen, "FoU");
	remove_first(x, &x->alice, MANY - 2);
	assert_int_equal(syscalls_count('S'), 1);
	assert_int_equal(lines_of(x, &x->alice, MAILDROP_REMOVED), 0);
}

static void compaction_keeps_read_marks_and_traces(void **state)
{
	enum { MANY = 150 };
	static const char trace[] = "Delivered-To: alice@example.org\r\n";
	struct fixture *x = *state;
	struct delivery *d = delivery_begin(x->s.store, STR(""), STR("unit"));
	struct delivery_totals totals = {SIZE, 14};
	struct maildrop *m;

	delivery_rcpt(d, &x->alice, str_of(trace));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(letter), &e_));
	scratch_ok(delivery_commit(d, &totals, &e_));
	delivery_end(&d);
	for (int i = 0; i < MANY; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	m = session(x, &x->alice);
	maildrop_entry(m, 0)->seen = true;
	for (size_t i = 1; i < MANY; i++)
		maildrop_entry(m, i)->removed = true;
	commit(m);
	maildrop_close(&m);
	assert_int_equal(lines_of(x, &x->alice, MAILDROP_ADDED), 2);
	m = session(x, &x->alice);
	assert_true(maildrop_entry(m, 0)->read);
	assert_true(str_eq(maildrop_trace(m, maildrop_entry(m, 0)), str_of(trace)));
	assert_int_equal(maildrop_entry(m, 0)->size, SIZE + sizeof trace - 1);
	assert_false(maildrop_entry(m, 1)->read);
	maildrop_close(&m);
}

struct writer_thread {
	struct fixture *x;
	atomic_bool stop;
	size_t delivered;
};

static void *keep_delivering(void *ctx)
{
	struct writer_thread *w = ctx;

	while (!atomic_load(&w->stop)) {
		struct delivery *d = delivery_begin(w->x->s.store, STR(""), STR("unit"));
		struct delivery_totals totals = {SIZE, 14};
		struct err e;

		delivery_rcpt(d, &w->x->alice, STR(""));
		must(delivery_open(d, &e) == 0 &&
		     delivery_write(d, str_of(letter), &e) == 0 &&
		     delivery_commit(d, &totals, &e) == 0);
		must(delivery_result(d, 0, &e) == VERDICT_OK);
		delivery_end(&d);
		w->delivered++;
	}
	return NULL;
}

/* Deliveries wait for the lock of a file that is replaced under it. */
static void nothing_is_lost_while_it_is_rewritten(void **state)
{
	struct writer_thread w = {.x = *state};
	struct fixture *x = *state;
	size_t removed = 0;
	pthread_t thread;

	for (int i = 0; i < 120; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	assert_int_equal(pthread_create(&thread, NULL, keep_delivering, &w), 0);
	for (int round = 0; round < 20; round++) {
		struct maildrop *m = session(x, &x->alice);
		size_t n = maildrop_count(m);

		for (size_t i = 0; i < n; i++)
			maildrop_entry(m, i)->removed = true;
		commit(m);
		maildrop_close(&m);
		removed += n;
		scratch_ok(store_checkpoint(x->s.store, &e_));
	}
	atomic_store(&w.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(removed + count(x, &x->alice), 120 + w.delivered);
	assert_int_equal(count(x, &x->alice), scratch_count(&x->s, &x->alice));
}

/* ---- a full disk ------------------------------------------------------------------------------------------ */

/* The root on a small file system, the messages on a large one. */
static bool small_root(struct scratch *s)
{
	scratch_settings(s, "volumes = {%s/v1}", "");
	assert_int_equal(mkdir(scratch_path(s, "store").s, 0700), 0);
	if (!scratch_small_disk(s, "store", "512k"))
		return false;
	scratch_ok(store_init(s->set, &e_));
	scratch_ok(store_open(s->set, &s->store, &e_));
	scratch_domain(s, "example.org", NULL);
	return true;
}

static void fill(const struct scratch *s)
{
	int fd = open(scratch_path(s, "store/filler").s, O_WRONLY | O_CREAT | O_CLOEXEC,
		      0600);
	char page[4096] = "x";

	assert_true(fd >= 0);
	while (write(fd, page, sizeof page) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

/* P7: deleting works at zero octets free. */
static void on_a_full_disk_lines_are_dropped_in_place(void **state UNUSED)
{
	enum { MANY = 120 };
	struct fixture x = {.s = {.store = NULL}};
	struct err e = {0};
	struct maildrop *m;
	uint64_t first;
	bool there;

	if (!small_root(&x.s)) {
		scratch_end(&x.s);
		skip();
	}
	x.alice = scratch_account(&x.s, "alice@example.org");
	first = scratch_deliver(&x.s, &x.alice, letter);
	for (int i = 0; i < MANY; i++)
		scratch_deliver(&x.s, &x.alice, letter);
	scratch_ok(store_checkpoint(x.s.store, &e_));
	fill(&x.s);

	/* Lines for so many need a page that is not there. */
	m = session(&x, &x.alice);
	for (size_t i = 0; i < MANY; i++)
		maildrop_entry(m, i)->removed = true;
	maildrop_entry(m, MANY)->seen = true;
	assert_int_equal(maildrop_commit(m, &e), 0);
	assert_int_equal(e.class, ERR_TEMP); /* it could not be rewritten */
	assert_int_equal(e.sys, ENOSPC);
	maildrop_close(&m);
	assert_int_equal(lines_of(&x, &x.alice, MAILDROP_DROPPED), MANY);
	assert_int_equal(count(&x, &x.alice), 1);
	scratch_ok(message_exists(x.s.store, 1, first, &there, &e_));
	assert_false(there);

	/* The next session finds them gone, and with room again rewrites the file. */
	assert_int_equal(unlink(scratch_path(&x.s, "store/filler").s), 0);
	m = session(&x, &x.alice);
	assert_int_equal(maildrop_count(m), 1);
	commit(m);
	maildrop_close(&m);
	assert_int_equal(lines_of(&x, &x.alice, MAILDROP_DROPPED), 0);
	assert_int_equal(scratch_count(&x.s, &x.alice), 1);
	assert_int_equal(count(&x, &x.alice), 1);
	store_close(&x.s.store);
	assert_int_equal(umount(scratch_path(&x.s, "store").s), 0);
	scratch_end(&x.s);
}

/* A client that hears -ERR finds all as it was, also where nothing was appended. */
static void on_a_full_disk_a_failed_sync_removes_nothing(void **state UNUSED)
{
	enum { MANY = 120 };
	struct fixture x = {.s = {.store = NULL}};
	struct err e = {0};
	struct maildrop *m;

	if (!small_root(&x.s)) {
		scratch_end(&x.s);
		skip();
	}
	x.alice = scratch_account(&x.s, "alice@example.org");
	for (int i = 0; i < MANY; i++)
		scratch_deliver(&x.s, &x.alice, letter);
	fill(&x.s);

	m = session(&x, &x.alice);
	for (size_t i = 0; i < MANY; i++)
		maildrop_entry(m, i)->removed = true;
	/* The page that is there takes the first lines, and they are synced. */
	atomic_store(&syscalls_good_syncs, 1);
	atomic_store(&syscalls_fail_sync, true);
	syscalls_forget();
	assert_int_equal(maildrop_commit(m, &e), -1);
	atomic_store(&syscalls_fail_sync, false);
	assert_int_equal(e.sys, EIO);
	assert_true(syscalls_count('o') >= MANY);
	maildrop_close(&m);
	assert_int_equal(lines_of(&x, &x.alice, MAILDROP_DROPPED), 0);
	assert_int_equal(count(&x, &x.alice), MANY);
	store_close(&x.s.store);
	assert_int_equal(umount(scratch_path(&x.s, "store").s), 0);
	scratch_end(&x.s);
}

/* ---- incarnations ------------------------------------------------------------------------------------------- */

static void an_account_that_was_deleted_gets_nothing(void **state)
{
	struct fixture *x = *state;
	struct account old = x->alice, new;
	struct maildrop_add add = {.id = 1, .size = 1};
	struct maildrop *m;
	struct err e;
	struct maildrop_answer answer;

	scratch_ok(account_delete(x->s.store, &old.name, &e_));
	assert_int_equal(maildrop_append(x->s.store, &old, &add, &answer, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_string_equal(e.dsn, "5.1.1");
	assert_int_equal(maildrop_open(x->s.store, &old, &m, &e), -1);
	assert_int_equal(e.class, ERR_PERM);

	/* nor does the next one of that name get what was meant for the first */
	new = scratch_account(&x->s, "alice@example.org");
	for (int round = 0; round < 2; round++) {
		assert_int_equal(maildrop_append(x->s.store, &old, &add, &answer, &e),
				 -1);
		assert_int_equal(e.class, ERR_PERM);
		assert_string_equal(e.dsn, "5.1.1");
		assert_int_equal(count(x, &new), round);
		scratch_deliver(&x->s, &new, letter); /* now there are lines of its own */
	}
}

static void knows_what_was_ever_put_in(void **state)
{
	struct fixture *x = *state;
	uint64_t gone = scratch_deliver(&x->s, &x->alice, letter);
	uint64_t here = scratch_deliver(&x->s, &x->alice, letter);
	const struct {
		uint64_t id;
		enum maildrop_state state;
	} rows[] = {{gone, MAILDROP_HAD},
		    {here, MAILDROP_HAS},
		    {here + 1, MAILDROP_NEVER_HAD},
		    {0, MAILDROP_NEVER_HAD}};

	remove_first(x, &x->alice, 1);
	for (size_t i = 0; i < countof(rows); i++) {
		enum maildrop_state is;

		scratch_ok(
			maildrop_state_of(x->s.store, &x->alice, rows[i].id, &is, &e_));
		assert_int_equal(is, rows[i].state);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(before_the_first_message_it_is_empty),
		TEST(shows_what_was_delivered_in_its_order),
		TEST(a_trace_is_the_recipients_own_and_counts),
		TEST(one_session_at_a_time),
		TEST(works_on_what_it_read_at_login),
		TEST(without_a_commit_nothing_is_removed),
		TEST(remembers_what_was_read),
		TEST(remembers_when_it_was_opened),
		TEST(removal_is_durable_before_anything_is_let_go),
		TEST(a_long_session_is_durable_block_by_block),
		TEST(a_failed_sync_removes_nothing),
		TEST(deleting_goes_on_where_a_sync_of_the_volume_failed),
		TEST(the_next_writer_cuts_a_torn_tail),
		TEST(zeros_at_the_end_are_a_torn_tail),
		TEST(a_torn_header_is_written_again),
		TEST(a_flipped_octet_is_damage_for_one_account),
		TEST(nothing_is_appended_to_a_damaged_end),
		TEST(lines_that_are_missing_or_anothers_are_damage),
		TEST(history_is_forgotten_behind_the_checkpoint),
		TEST(a_file_that_is_not_rewritten_costs_no_more),
		TEST(compaction_keeps_read_marks_and_traces),
		TEST(nothing_is_lost_while_it_is_rewritten),
		cmocka_unit_test(on_a_full_disk_lines_are_dropped_in_place),
		cmocka_unit_test(on_a_full_disk_a_failed_sync_removes_nothing),
		TEST(an_account_that_was_deleted_gets_nothing),
		TEST(knows_what_was_ever_put_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
