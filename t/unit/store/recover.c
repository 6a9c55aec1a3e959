/* SPDX-License-Identifier: ISC */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/id.h"
#include "t/unit/store/scratch.h"

static const char text[] = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";

/* What the dying process did, seen by the one that recovers: shared memory would be
 * more than is needed, since the accounts are made before. */
struct plan {
	struct account a[3];
	size_t n;
};

static void deliver(struct scratch *s, void *ctx)
{
	struct plan *p = ctx;

	scratch_deliver_to(s, p->a, p->n, text, NULL);
}

static void begin(struct scratch *s, struct plan *p)
{
	static const char *const names[] = {"alice@example.org", "bob@example.org",
					    "carol@example.org"};

	scratch_begin_with(s, "", "");
	for (size_t i = 0; i < countof(names); i++)
		p->a[i] = scratch_account(s, names[i]);
	p->n = countof(names);
	/* The child opens the store itself; ours must hold no writer meanwhile. */
	store_close(&s->store);
}

static struct store_recovery recover(struct scratch *s)
{
	struct store_recovery r;

	if (s->store == NULL)
		scratch_ok(store_open(s->set, &s->store, &e_));
	scratch_ok(store_recover(s->store, &r, &e_));
	return r;
}

/* forget_mount - makes the dead writer's record one of a mount that is gone, which is
 * what a power cut does */
static void forget_mount(const struct scratch *s)
{
	struct record_writer w;
	struct buf text_of, checkpoint, until;
	char path[64];

	for (unsigned n = 0; n < 8; n++) {
		snprintf(path, sizeof path, "store/writers/%u", n);
		if (!scratch_exists(s, path))
			continue;
		buf_init(&text_of, 4096);
		buf_init(&checkpoint, 32);
		buf_init(&until, 32);
		scratch_read(s, path, &text_of);
		assert_true(record_get(buf_str(&text_of), "checkpoint", &checkpoint));
		assert_true(record_get(buf_str(&text_of), "until", &until));
		if (strstr(buf_cstr(&text_of), "state open") != NULL) {
			record_begin(&w, "popstore-writer");
			record_put(&w, "state", STR("open"));
			record_put(&w, "checkpoint", buf_str(&checkpoint));
			record_put(&w, "until", buf_str(&until));
			record_put(&w, "mount", STR(""));
			scratch_write(s, path, record_finish(&w));
			record_fini(&w);
		}
		buf_fini(&text_of);
		buf_fini(&checkpoint);
		buf_fini(&until);
	}
}

static void nothing_to_do_after_a_clean_end(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_ok(store_open(s.set, &s.store, &e_));
	deliver(&s, &p);
	store_close(&s.store);
	assert_int_equal(recover(&s).writers, 0);
	scratch_end(&s);
}

static void a_killed_process_loses_nothing(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.writers, 1);
	assert_int_equal(r.messages, 1);
	assert_int_equal(r.added, 0);
	assert_int_equal(r.failed, 0);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(scratch_count(&s, &p.a[i]), 1);
	assert_int_equal(recover(&s).writers, 0);
	scratch_end(&s);
}

static void lines_that_a_power_cut_took_come_back(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	scratch_lose(&s, "alice@example.org", "maildrop");
	scratch_lose(&s, "carol@example.org", "maildrop");
	forget_mount(&s);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.added, 2);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(scratch_count(&s, &p.a[i]), 1);
	scratch_end(&s);
}

static void what_nobody_was_promised_is_released(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	scratch_lose(&s, "alice@example.org", "maildrop");
	scratch_ok(store_open(s.set, &s.store, &e_));
	if (storage_mount_identity(store_root(s.store))[0] == '\0') {
		print_message("this kernel does not tell mounts apart\n");
		scratch_end(&s);
		skip();
	}

	struct store_recovery r = recover(&s);

	assert_int_equal(r.added, 0);
	assert_int_equal(r.removed, 0);
	assert_int_equal(scratch_count(&s, &p.a[0]), 0);
	assert_int_equal(scratch_count(&s, &p.a[1]), 1);
	scratch_end(&s);
}

static void a_deleted_account_gets_nothing_back(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	p.n = 1;
	scratch_die(&s, deliver, &p);
	forget_mount(&s);
	scratch_lose(&s, p.a[0].name.s, "profile");
	scratch_lose(&s, p.a[0].name.s, "maildrop");
	scratch_ok(store_open(s.set, &s.store, &e_));

	struct account again = scratch_account(&s, p.a[0].name.s);
	struct store_recovery r = recover(&s);

	assert_int_equal(r.added, 0);
	assert_int_equal(r.removed, 1);
	assert_int_equal(scratch_count(&s, &again), 0);
	scratch_end(&s);
}

static void removed_messages_stay_removed(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	forget_mount(&s);
	scratch_ok(store_open(s.set, &s.store, &e_));

	struct maildrop *m;

	scratch_ok(maildrop_open(s.store, &p.a[0], &m, &e_));
	assert_non_null(m);
	assert_int_equal(maildrop_count(m), 1);
	maildrop_entry(m, 0)->removed = true;
	scratch_ok(maildrop_commit(m, &e_));
	/* As if the power went before the slot's octet was on disk. */
	uint64_t id = maildrop_entry(m, 0)->id;
	uint32_t slot = maildrop_entry(m, 0)->slot;
	char plus = '+';
	int fd = open(scratch_path(&s, scratch_message(id).s).s, O_WRONLY);

	assert_int_equal(pwrite(fd, &plus, 1, slot), 1);
	close(fd);
	maildrop_close(&m);
	assert_int_equal(recover(&s).added, 0);
	assert_int_equal(scratch_count(&s, &p.a[0]), 0);
	scratch_end(&s);
}

static void a_torn_file_is_set_aside(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	forget_mount(&s);
	scratch_ok(store_open(s.set, &s.store, &e_));

	struct maildrop *m;

	scratch_ok(maildrop_look(s.store, &p.a[1], &m, &e_));

	uint64_t id = maildrop_entry(m, 0)->id;
	char aside[64];

	maildrop_close(&m);
	for (size_t i = 0; i < p.n; i++)
		scratch_lose(&s, p.a[i].name.s, "maildrop");
	assert_int_equal(truncate(scratch_path(&s, scratch_message(id).s).s, 300), 0);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.damaged, 1);
	assert_int_equal(r.removed, 0);
	assert_non_null(strstr(r.damage.text, id_print(id).c));
	assert_int_equal(r.added, 0);
	assert_false(scratch_exists(&s, scratch_message(id).s));
	snprintf(aside, sizeof aside, "store/damaged/%s", id_print(id).c);
	assert_true(scratch_exists(&s, aside));
	scratch_end(&s);
}

/* It was whole when the line was written, so this is damage, and not ours to move. */
static void a_damaged_file_that_a_maildrop_has_stays(void **state)
{
	struct scratch s;
	struct plan p;
	struct maildrop *m;
	struct buf file;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	forget_mount(&s);
	scratch_ok(store_open(s.set, &s.store, &e_));
	scratch_ok(maildrop_look(s.store, &p.a[1], &m, &e_));

	struct scratch_path path = scratch_message(maildrop_entry(m, 0)->id);

	maildrop_close(&m);
	buf_init(&file, 1 << 20);
	scratch_read(&s, path.s, &file);
	scratch_flip(&s, path.s, file.n - 10);
	buf_fini(&file);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.damaged, 1);
	assert_true(scratch_exists(&s, path.s));
	assert_int_equal(recover(&s).writers, 0);
	scratch_end(&s);
}

/* The maildrop that repair made again lost a line; that it knows nothing of the message
 * proves nothing any more, in whatever mount. */
static void a_rebuilt_maildrop_gets_the_line_back(void **state)
{
	struct scratch s;
	struct plan p;
	uint64_t lost;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	scratch_flip(&s, scratch_place("accounts", "alice@example.org", "maildrop").s,
		     60);
	scratch_ok(store_open(s.set, &s.store, &e_));
	scratch_ok(maildrop_rebuild(s.store, &p.a[0], &lost, &e_));
	assert_int_equal(lost, 1);
	assert_int_equal(scratch_count(&s, &p.a[0]), 0);
	assert_int_equal(recover(&s).added, 1);
	assert_int_equal(scratch_count(&s, &p.a[0]), 1);
	scratch_end(&s);
}

/* As on a bad disk, or without a free descriptor: the file may be whole. */
static void a_file_that_cannot_be_read_now_stays(void **state)
{
	struct scratch s;
	struct plan p;
	struct maildrop *m;
	struct scratch_path file, away;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	scratch_ok(store_open(s.set, &s.store, &e_));
	scratch_ok(maildrop_look(s.store, &p.a[0], &m, &e_));
	file = scratch_path(&s, scratch_message(maildrop_entry(m, 0)->id).s);
	away = scratch_path(&s, "away");
	maildrop_close(&m);
	assert_int_equal(rename(file.s, away.s), 0);
	assert_int_equal(mkfifo(file.s, 0600), 0);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.failed, 1);
	assert_int_equal(r.removed, 0);
	assert_int_equal(rename(away.s, file.s), 0);
	r = recover(&s);
	assert_int_equal(r.writers, 1);
	assert_int_equal(r.failed, 0);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(scratch_count(&s, &p.a[i]), 1);
	scratch_end(&s);
}

static void a_damaged_maildrop_keeps_nobody_else_waiting(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	scratch_lose(&s, "carol@example.org", "maildrop");
	forget_mount(&s);
	scratch_flip(&s, scratch_place("accounts", "alice@example.org", "maildrop").s,
		     60);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.failed, 1);
	assert_non_null(strstr(r.why.text, "alice@example.org"));
	assert_int_equal(scratch_count(&s, &p.a[1]), 1);
	/* The writer stays as it is, until somebody has mended the maildrop. */
	assert_int_equal(recover(&s).writers, 1);
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_do_after_a_clean_end),
		cmocka_unit_test(a_killed_process_loses_nothing),
		cmocka_unit_test(lines_that_a_power_cut_took_come_back),
		cmocka_unit_test(what_nobody_was_promised_is_released),
		cmocka_unit_test(a_deleted_account_gets_nothing_back),
		cmocka_unit_test(removed_messages_stay_removed),
		cmocka_unit_test(a_torn_file_is_set_aside),
		cmocka_unit_test(a_damaged_file_that_a_maildrop_has_stays),
		cmocka_unit_test(a_rebuilt_maildrop_gets_the_line_back),
		cmocka_unit_test(a_file_that_cannot_be_read_now_stays),
		cmocka_unit_test(a_damaged_maildrop_keeps_nobody_else_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
