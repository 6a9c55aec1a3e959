/* SPDX-License-Identifier: ISC */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/check.h"
#include "store/id.h"
#include "t/unit/store/scratch.h"
#include "t/unit/store/syscalls.h"

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

static void deliver_twice(struct scratch *s, void *ctx)
{
	deliver(s, ctx);
	deliver(s, ctx);
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
	scratch_forget_mount(&s);

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

/* root_stopped - what a process leaves that met a failed sync of the root */
static void root_stopped(const struct scratch *s)
{
	assert_int_equal(mkdir(scratch_path(s, "store/stopped").s, 0700), 0);
	scratch_write(s, "store/stopped/root", STR(""));
}

/* The line was in the cache, and the cache let go of it when it could not be written: the
 * mount is the same, and still the recipient was promised the message. */
static void after_a_failed_sync_a_missing_line_proves_nothing(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	scratch_lose(&s, "alice@example.org", "maildrop");
	root_stopped(&s);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.added, 1);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(scratch_count(&s, &p.a[i]), 1);
	scratch_end(&s);
}

/* Nobody may have heard of the failure yet: the first sync of a recovery tells, and
 * nothing was believed before. */
static void a_failed_sync_at_the_start_leaves_all_as_it_is(void **state)
{
	struct store_recovery r;
	struct scratch s;
	struct plan p;
	struct err e;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	scratch_lose(&s, "alice@example.org", "maildrop");
	scratch_ok(store_open(s.set, &s.store, &e_));
	atomic_store(&syscalls_fail_sync, true);
	assert_int_equal(store_recover(s.store, &r, &e), -1);
	atomic_store(&syscalls_fail_sync, false);
	store_close(&s.store); /* tells the others */
	assert_true(scratch_exists(&s, "store/stopped/root"));
	assert_int_equal(recover(&s).added, 1);
	assert_int_equal(scratch_count(&s, &p.a[0]), 1);
	scratch_end(&s);
}

static ino_t inode(const struct scratch *s, const char *name)
{
	struct stat st;

	assert_int_equal(
		stat(scratch_path(s, scratch_place("accounts", name, "maildrop").s).s,
		     &st),
		0);
	return st.st_ino;
}

/* A line that is there may be so in the cache alone, so the maildrop is made a new file:
 * one for each account, however many messages it got. */
static void after_a_failed_sync_maildrops_are_made_new(void **state)
{
	struct scratch s;
	struct plan p;
	ino_t before;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver_twice, &p);
	before = inode(&s, "bob@example.org");
	root_stopped(&s);
	scratch_ok(store_open(s.set, &s.store, &e_));
	syscalls_forget();
	assert_int_equal(recover(&s).added, 0);
	assert_true(inode(&s, "bob@example.org") != before);
	/* Three files with their directories, and the writer's record with its. */
	assert_int_equal(syscalls_count('F'), 2 * p.n + 2);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(scratch_count(&s, &p.a[i]), 2);
	scratch_end(&s);
}

/* Nothing failed: no maildrop is touched. */
static void a_line_that_is_there_is_left_alone(void **state)
{
	struct scratch s;
	struct plan p;
	ino_t before;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver, &p);
	before = inode(&s, "bob@example.org");
	assert_int_equal(recover(&s).added, 0);
	assert_int_equal(inode(&s, "bob@example.org"), before);
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
	scratch_forget_mount(&s);
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
	scratch_forget_mount(&s);
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
	scratch_forget_mount(&s);
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
	scratch_forget_mount(&s);
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
	scratch_forget_mount(&s);
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

/* dead_number - the writer that has an open record */
static unsigned dead_number(struct scratch *s)
{
	for (unsigned n = 0; n < 8; n++) {
		char path[64];
		struct buf b;

		snprintf(path, sizeof path, "store/writers/%u", n);
		if (!scratch_exists(s, path))
			continue;
		buf_init(&b, 4096);
		scratch_read(s, path, &b);

		bool open = strstr(buf_cstr(&b), "state open") != NULL;

		buf_fini(&b);
		if (open)
			return n;
	}
	fail_msg("no writer is open");
	return 0;
}

enum harm { FLIPPED, ZEROED, EMPTIED, REMOVED, HARMS };

static void harm_record(struct scratch *s, enum harm how)
{
	static const char zeros[100];
	char path[64];

	snprintf(path, sizeof path, "store/writers/%u", dead_number(s));
	if (how == FLIPPED)
		scratch_flip(s, path, 40);
	else if (how == REMOVED)
		assert_int_equal(unlink(scratch_path(s, path).s), 0);
	else
		scratch_write(s, path,
			      (struct str){zeros, how == ZEROED ? sizeof zeros : 0});
}

static size_t i12;

static void count_i12(const struct check_finding *f, void *ctx UNUSED)
{
	i12 += strcmp(f->invariant, "I12") == 0;
}

static struct check_result check(struct scratch *s, bool repair)
{
	struct check_options o = {.repair = repair, .finding = count_i12};
	struct check_result r;

	i12 = 0;
	scratch_ok(check_run(s->store, &o, &r, &e_));
	return r;
}

/* The checkpoint is gone with the record: all of its messages are looked at. */
static void without_the_writers_record_lost_lines_come_back(void **state UNUSED)
{
	for (enum harm how = 0; how < HARMS; how++) {
		for (int by_check = 0; by_check < 2; by_check++) {
			struct scratch s;
			struct plan p;

			begin(&s, &p);
			scratch_die(&s, deliver_twice, &p);
			scratch_lose(&s, "alice@example.org", "maildrop");
			harm_record(&s, how);
			scratch_ok(store_open(s.set, &s.store, &e_));
			assert_true(check(&s, false).findings >= 2);
			assert_int_equal(i12, 1);
			if (by_check)
				check(&s, true);
			else
				assert_int_equal(recover(&s).added, 2);
			assert_int_equal(check(&s, false).findings, 0);
			for (size_t i = 0; i < p.n; i++)
				assert_int_equal(scratch_count(&s, &p.a[i]), 2);
			assert_int_equal(recover(&s).writers, 0);
			scratch_end(&s);
		}
	}
}

/* Its checkpoint is gone with the record, so its messages may be old ones: what they are held
 * for without an account is not what a deletion left. */
static void without_the_writers_record_nobody_is_released(void **state UNUSED)
{
	for (enum harm how = 0; how < HARMS; how++) {
		struct scratch s;
		struct plan p;

		begin(&s, &p);
		scratch_die(&s, deliver_twice, &p);
		assert_int_equal(
			nftw(scratch_path(&s, scratch_place("accounts",
							    "alice@example.org", NULL)
						      .s)
				     .s,
			     scratch_remove, 8, FTW_DEPTH | FTW_PHYS),
			0);
		harm_record(&s, how);
		assert_int_equal(recover(&s).failed, 0);
		check(&s, true); /* makes her account again */
		assert_int_equal(scratch_count(&s, &p.a[0]), 2);
		assert_int_equal(check(&s, false).findings, 0);
		scratch_end(&s);
	}
}

static void deliver_and_tell(struct scratch *s, void *ctx)
{
	struct plan *p = ctx;
	struct buf id;

	buf_init(&id, 64);
	buf_printf(&id, "%s", id_print(scratch_deliver_to(s, p->a, p->n, text, NULL)).c);
	scratch_write(s, "id", buf_str(&id));
	buf_fini(&id);
}

/* Nor is one of them that is damaged a file that was never synced: it stays where check mends
 * it. */
static void without_the_writers_record_damage_stays_in_place(void **state UNUSED)
{
	struct scratch s;
	struct plan p;
	struct buf name;
	uint64_t id;

	begin(&s, &p);
	scratch_die(&s, deliver_and_tell, &p);
	buf_init(&name, 64);
	scratch_read(&s, "id", &name);
	assert_true(id_parse(buf_str(&name), &id));
	buf_fini(&name);
	scratch_flip(&s, scratch_message(id).s, 20);
	scratch_flip(&s, scratch_message(id).s, 82);
	harm_record(&s, FLIPPED);
	assert_int_equal(recover(&s).damaged, 1);
	assert_true(scratch_exists(&s, scratch_message(id).s));
	check(&s, true);
	assert_int_equal(check(&s, false).findings, 0);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(scratch_count(&s, &p.a[i]), 1);
	scratch_end(&s);
}

/* Nobody knows of such a writer any more, so nobody will say later what check does not. */
static void without_record_and_lease_check_brings_them_back(void **state UNUSED)
{
	struct check_result r;
	struct scratch s;
	struct plan p;
	char path[64];

	begin(&s, &p);
	scratch_die(&s, deliver_twice, &p);
	scratch_lose(&s, "alice@example.org", "maildrop");
	snprintf(path, sizeof path, "store/writers/%u.lease", dead_number(&s));
	harm_record(&s, REMOVED);
	assert_int_equal(unlink(scratch_path(&s, path).s), 0);
	assert_int_equal(recover(&s).added, 0);
	assert_int_equal(check(&s, false).findings, 2);
	r = check(&s, true);
	assert_int_equal(r.repaired, r.findings);
	assert_int_equal(scratch_count(&s, &p.a[0]), 2);
	assert_int_equal(check(&s, false).findings, 0);
	scratch_end(&s);
}

/* make_hole - NULs from the 11th line of alice's maildrop to the end of its block, where a
 * disk wrote the blocks behind it and not this one */
static void make_hole(struct scratch *s)
{
	struct scratch_path path =
		scratch_place("accounts", "alice@example.org", "maildrop");
	struct buf b;
	size_t from = 0;

	buf_init(&b, 65536);
	scratch_read(s, path.s, &b);
	assert_true(b.n > 4096);
	for (int line = 0; line < 11; line++)
		from = (size_t)(strchr(b.p + from, '\n') - b.p) + 1;
	memset(b.p + from, 0, 4096 - from);
	scratch_write(s, path.s, buf_str(&b));
	buf_fini(&b);
}

enum { MANY = 80 };

static void deliver_many(struct scratch *s, void *ctx)
{
	for (size_t i = 0; i < MANY; i++)
		deliver(s, ctx);
}

static void deliver_around_a_checkpoint(struct scratch *s, void *ctx)
{
	deliver_many(s, ctx);
	scratch_ok(store_checkpoint(s->store, &e_));
	deliver(s, ctx);
}

static void a_hole_that_a_power_cut_left_is_filled(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver_many, &p);
	make_hole(&s);
	scratch_forget_mount(&s);

	struct store_recovery r = recover(&s);

	assert_int_equal(r.failed, 0);
	assert_int_equal(r.added, MANY - 10);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(scratch_count(&s, &p.a[i]), MANY);
	scratch_end(&s);
}

/* What was durable is not lost by a power cut, so this is another kind of damage. */
static void a_hole_in_what_was_durable_is_damage(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver_around_a_checkpoint, &p);
	make_hole(&s);
	scratch_forget_mount(&s);

	struct store_recovery r = recover(&s);

	assert_true(r.failed > 0);
	assert_non_null(strstr(r.why.text, "alice@example.org"));
	scratch_end(&s);
}

/* The services may have begun before anybody could recover, on a disk that was read only:
 * the lines that they append behind the hole are nobody's to cut. */
static void what_came_after_the_power_cut_stays(void **state)
{
	struct scratch s;
	struct plan p;

	(void)state;
	begin(&s, &p);
	scratch_die(&s, deliver_many, &p);
	make_hole(&s);
	scratch_forget_mount(&s);
	scratch_ok(store_open(s.set, &s.store, &e_));
	deliver(&s, &p);

	struct store_recovery r = recover(&s);
	uint64_t messages, octets;

	assert_true(r.failed > 0);
	assert_non_null(strstr(r.why.text, "alice@example.org"));
	scratch_ok(maildrop_totals(s.store, &p.a[0], &messages, &octets, &e_));
	assert_int_equal(messages, MANY + 1);
	scratch_end(&s);
}

/* open_with - the volumes in the configuration, and no others */
static void open_with(struct scratch *s, const char *volumes)
{
	store_close(&s->store);
	scratch_configure(s, volumes, "");
	scratch_ok(store_open(s->set, &s->store, &e_));
}

/* Its disk may come back, and the message whose line was lost is on it. */
static void mail_on_a_volume_that_is_away_waits_for_it(void **state)
{
	static const char both[] = "volumes = {%s/v1, %s/v2}";
	struct plan p = {.n = 1};
	struct scratch s;

	(void)state;
	scratch_begin_with(&s, both, "");
	p.a[0] = scratch_account(&s, "alice@example.org");
	store_close(&s.store);
	scratch_die(&s, deliver_twice, &p);
	scratch_lose(&s, "alice@example.org", "maildrop");
	scratch_forget_mount(&s);

	open_with(&s, "volumes = {%s/v2}");

	struct store_recovery r = recover(&s);

	assert_int_equal(r.added, 1);
	assert_non_null(strstr(r.why.text, "is not in the configuration"));
	open_with(&s, both);
	r = recover(&s);
	assert_int_equal(r.added, 1);
	assert_int_equal(r.failed, 0);
	assert_int_equal(scratch_count(&s, &p.a[0]), 2);
	assert_int_equal(recover(&s).writers, 0);
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_do_after_a_clean_end),
		cmocka_unit_test(a_killed_process_loses_nothing),
		cmocka_unit_test(lines_that_a_power_cut_took_come_back),
		cmocka_unit_test(what_nobody_was_promised_is_released),
		cmocka_unit_test(after_a_failed_sync_a_missing_line_proves_nothing),
		cmocka_unit_test(a_failed_sync_at_the_start_leaves_all_as_it_is),
		cmocka_unit_test(after_a_failed_sync_maildrops_are_made_new),
		cmocka_unit_test(a_line_that_is_there_is_left_alone),
		cmocka_unit_test(a_deleted_account_gets_nothing_back),
		cmocka_unit_test(removed_messages_stay_removed),
		cmocka_unit_test(a_torn_file_is_set_aside),
		cmocka_unit_test(a_damaged_file_that_a_maildrop_has_stays),
		cmocka_unit_test(a_rebuilt_maildrop_gets_the_line_back),
		cmocka_unit_test(a_file_that_cannot_be_read_now_stays),
		cmocka_unit_test(a_damaged_maildrop_keeps_nobody_else_waiting),
		cmocka_unit_test(without_the_writers_record_lost_lines_come_back),
		cmocka_unit_test(without_the_writers_record_nobody_is_released),
		cmocka_unit_test(without_the_writers_record_damage_stays_in_place),
		cmocka_unit_test(without_record_and_lease_check_brings_them_back),
		cmocka_unit_test(a_hole_that_a_power_cut_left_is_filled),
		cmocka_unit_test(a_hole_in_what_was_durable_is_damage),
		cmocka_unit_test(what_came_after_the_power_cut_stays),
		cmocka_unit_test(mail_on_a_volume_that_is_away_waits_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
