/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/ops.h"

#include "store/check.h"
#include "store/id.h"
#include "store/storage.h"
#include "t/fault/lib/clock.h"

#include <stdio.h>
#include <string.h>

static unsigned told(int rc)
{
	return rc == 0 ? 1 : 0;
}

/* ---- making and opening ------------------------------------------------------------------ */

static unsigned init(struct world *w, struct err *e)
{
	return told(store_init(w->set, e));
}

static void prepare_volume(struct world *w)
{
	world_set_volumes(w, 1);
}

static unsigned open_and_close(struct world *w, struct err *e)
{
	if (store_open(w->set, &w->store, e) < 0)
		return 0;
	world_close(w);
	return 1;
}

/* ---- recovery ------------------------------------------------------------------------------ */

static unsigned recover(struct world *w, struct err *e)
{
	struct store_recovery r;
	int rc;

	if (store_open(w->set, &w->store, e) < 0)
		return 0;
	rc = store_recover(w->store, &r, e);
	if (rc == 0 && r.failed > 0) {
		*e = r.why;
		rc = -1;
	}
	world_close(w);
	return told(rc);
}

static const char *maildrop_path(const char *name, struct place *p)
{
	*p = world_place("accounts", name, "maildrop");
	return p->path;
}

enum lost { LINE_LOST, LINE_NEVER_WRITTEN };

/* died - a process that delivered to alice and bob, and whose lines for alice are gone:
 * by a power cut, or because it never came to write them */
static void died(struct world *w, enum lost how)
{
	static const char *const both[] = {"bob@example.org", "alice@example.org", NULL};
	struct buf record, maildrop;
	struct err e = {0};
	struct place p;

	world_open(w);
	must(world_deliver_one(w, "carol@example.org", "first.300", &e) == 1);
	world_ok(store_checkpoint(w->store, &e_));
	world_keep(w, maildrop_path("alice@example.org", &p), &maildrop);
	must(world_deliver(w, both, "lost.300", &e) == 3);
	must(world_deliver_one(w, "alice@example.org", "lost2.300", &e) == 1);
	world_keep(w, "writers/0", &record);
	world_close(w);
	if (how == LINE_LOST)
		world_other_boot(&record);
	world_put_back(w, "writers/0", &record);
	world_put_back(w, p.path, &maildrop);
	buf_fini(&record);
	buf_fini(&maildrop);
}

static void prepare_lost_lines(struct world *w)
{
	died(w, LINE_LOST);
}

static void prepare_unwritten_lines(struct world *w)
{
	died(w, LINE_NEVER_WRITTEN);
}

/* Alice removed a letter, and the process died before it let the slot go. */
static void prepare_unreleased(struct world *w)
{
	struct buf record, file;
	struct account alice;
	struct maildrop *m;
	struct message_path path;
	struct err e = {0};

	world_open(w);
	must(world_deliver_one(w, "alice@example.org", "mine.300", &e) == 1);
	alice = world_account(w, "alice@example.org");
	world_ok(maildrop_open(w->store, &alice, &m, &e_));
	maildrop_entry(m, 2)->removed = true;
	path = message_path(maildrop_entry(m, 2)->id);
	world_keep(w, path.s, &file);
	world_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);
	world_keep(w, "writers/0", &record);
	world_close(w);
	world_put_back(w, "writers/0", &record);
	world_put_back(w, path.s, &file);
	buf_fini(&record);
	buf_fini(&file);
}

/* A message file that ends too early, and which nobody was promised. */
static void prepare_torn_message(struct world *w)
{
	struct buf record, maildrop, file;
	struct message_path path;
	struct err e = {0};
	struct account alice;
	struct maildrop *m;
	struct place p;

	world_open(w);
	world_keep(w, maildrop_path("alice@example.org", &p), &maildrop);
	must(world_deliver_one(w, "alice@example.org", "torn.300", &e) == 1);
	alice = world_account(w, "alice@example.org");
	world_ok(maildrop_open(w->store, &alice, &m, &e_));
	path = message_path(maildrop_entry(m, 2)->id);
	maildrop_close(&m);
	world_keep(w, "writers/0", &record);
	world_keep(w, path.s, &file);
	world_close(w);
	buf_cut(&file, file.n - 100);
	world_other_boot(&record);
	world_put_back(w, "writers/0", &record);
	world_put_back(w, p.path, &maildrop);
	world_put_back(w, path.s, &file);
	buf_fini(&record);
	buf_fini(&maildrop);
	buf_fini(&file);
}

/* ---- repair ------------------------------------------------------------------------------------ */

static unsigned repair(struct world *w, struct err *e)
{
	struct check_options o = {.repair = true};
	struct check_result r;

	return told(check_run(w->store, &o, &r, e));
}

/* entry_path - the file of a letter in a maildrop */
static struct message_path entry_path(struct world *w, const char *name, size_t i,
				      uint32_t *slot)
{
	struct account a = world_account(w, name);
	struct message_path path;
	struct maildrop *m;

	world_ok(maildrop_look(w->store, &a, &m, &e_));
	path = message_path(maildrop_entry(m, i)->id);
	*slot = maildrop_entry(m, i)->slot;
	maildrop_close(&m);
	return path;
}

/* Of each kind one: a line lost, a file gone, a slot released too early, a domain without
 * its template, a deletion half done. */
static void prepare_damage(struct world *w)
{
	struct message_path letter, large;
	struct buf file, maildrop;
	struct err e = {0};
	struct place p;
	uint32_t slot;

	world_open(w);
	world_keep(w, maildrop_path("alice@example.org", &p), &maildrop);
	must(world_deliver_one(w, "alice@example.org", "lost.300", &e) == 1);
	must(world_deliver_one(w, "carol@example.org", "leaked.300", &e) == 1);
	letter = entry_path(w, "bob@example.org", 0, &slot);
	large = entry_path(w, "bob@example.org", 1, &(uint32_t){0});
	world_close(w);
	clock_turn(clock_now() + 60000);
	world_put_back(w, p.path, &maildrop);
	world_remove(w, large.s);
	world_keep(w, letter.s, &file);
	must(file.p[slot] == '+');
	file.p[slot] = '-';
	world_put_back(w, letter.s, &file);
	world_remove(w, world_place("accounts", "default@example.org", "profile").path);
	world_delete_halfway(w, "carol@example.org");
	buf_fini(&file);
	buf_fini(&maildrop);
}

/* One octet of a line in the middle. */
static void prepare_bad_maildrop(struct world *w)
{
	struct buf maildrop;
	struct place p;

	world_keep(w, maildrop_path("alice@example.org", &p), &maildrop);
	maildrop.p[maildrop.n / 2] ^= 1;
	world_put_back(w, p.path, &maildrop);
	buf_fini(&maildrop);
}

/* Of carol's profile one octet; alice's is gone. */
static void prepare_bad_profiles(struct world *w)
{
	struct buf profile;
	struct place p = world_place("accounts", "carol@example.org", "profile");

	world_keep(w, p.path, &profile);
	profile.p[profile.n / 2] ^= 1;
	world_put_back(w, p.path, &profile);
	buf_fini(&profile);
	world_remove(w, world_place("accounts", "alice@example.org", "profile").path);
}

static void prepare_lost_account(struct world *w)
{
	world_remove_account(w, "alice@example.org");
}

/* zero - some octets of a message's file, from where `what` stands in it */
static void zero(struct world *w, const char *path, const char *what, size_t n)
{
	struct buf file;
	char *at;

	world_keep(w, path, &file);
	at = strstr(buf_cstr(&file), what);
	must(at != NULL);
	memset(file.p + (at - file.p), 0, n);
	world_put_back(w, path, &file);
	buf_fini(&file);
}

/* A recipient's line, and most of a head. */
static void prepare_bad_headers(struct world *w)
{
	struct message_path letter, large;
	uint32_t slot;

	world_open(w);
	letter = entry_path(w, "bob@example.org", 0, &slot);
	large = entry_path(w, "bob@example.org", 1, &slot);
	world_close(w);
	zero(w, letter.s, "rcpt + alice", 20);
	zero(w, large.s, "arrived", 80);
}

static void prepare_exchanged(struct world *w)
{
	struct message_path letter, second;
	struct buf one, other;
	uint32_t slot;

	world_open(w);
	letter = entry_path(w, "alice@example.org", 0, &slot);
	second = entry_path(w, "alice@example.org", 1, &slot);
	world_close(w);
	world_keep(w, letter.s, &one);
	world_keep(w, second.s, &other);
	world_put_back(w, letter.s, &other);
	world_put_back(w, second.s, &one);
	buf_fini(&one);
	buf_fini(&other);
}

/* One octet of a mark, a forwarding and a password; and a writer's record is gone. */
static void prepare_bad_records(struct world *w)
{
	struct place paths[] = {
		{"popstore"},
		world_place("forwardings", "sales@example.org", NULL),
		world_place("secrets", "bob@example.org", NULL),
	};

	for (size_t i = 0; i < countof(paths); i++) {
		struct buf record;

		world_keep(w, paths[i].path, &record);
		record.p[record.n / 2] ^= 1;
		world_put_back(w, paths[i].path, &record);
		buf_fini(&record);
	}
	world_remove(w, "writers/0");
}

/* ---- the rows ---------------------------------------------------------------------------------------- */

const struct op ops_mend[] = {
	{
		.name = "init",
		.bare = true,
		.makes = true,
		.volumes = 1,
		.closed = true,
		.run = init,
		.leaves = "I1",
		.parts = {""},
	},
	{
		.name = "init, with volumes for an old store",
		.makes = true,
		.closed = true,
		.prepare = prepare_volume,
		.run = init,
		.leaves = "I1",
		.parts = {""},
	},
	{
		.name = "open",
		.closed = true,
		.volumes = 2,
		.run = open_and_close,
		.parts = {"open"},
	},
	{
		.name = "recover, lines lost by a power cut",
		.closed = true,
		.prepare = prepare_lost_lines,
		.run = recover,
		.parts = {"recovery"},
	},
	{
		.name = "recover, killed before the lines",
		.closed = true,
		.prepare = prepare_unwritten_lines,
		.run = recover,
		.parts = {"recovery"},
		.either = "mail alice@example.org lost",
	},
	{
		.name = "recover, killed before a release",
		.closed = true,
		.prepare = prepare_unreleased,
		.run = recover,
		.parts = {"recovery"},
	},
	{
		.name = "recover, a message that is not whole",
		.closed = true,
		.prepare = prepare_torn_message,
		.run = recover,
		.parts = {"recovery"},
	},
	{
		.name = "check --repair",
		.leaves = "I2 I3 I4 I5 I6 I7 I9",
		.damaged = true,
		.prepare = prepare_damage,
		.run = repair,
		.parts = {"repair"},
	},
	{
		.name = "check --repair, a damaged maildrop",
		.leaves = "I2 I3 I4 I5 I6 I7 I9",
		.damaged = true,
		.prepare = prepare_bad_maildrop,
		.run = repair,
		.parts = {"repair"},
	},
	{
		.name = "check --repair, profiles lost and damaged",
		.leaves = "I2 I5 I7",
		.damaged = true,
		.slow = true,
		.prepare = prepare_bad_profiles,
		.run = repair,
		.parts = {"repair"},
	},
	{
		.name = "check --repair, an account that is gone",
		.leaves = "I2 I4 I5 I7",
		.damaged = true,
		.slow = true,
		.prepare = prepare_lost_account,
		.run = repair,
		.parts = {"repair"},
	},
	{
		.name = "check --repair, damaged headers",
		.leaves = "I6 I7 I8",
		.damaged = true,
		.slow = true,
		.prepare = prepare_bad_headers,
		.run = repair,
		.parts = {"repair"},
	},
	{
		.name = "check --repair, exchanged message files",
		.leaves = "I6 I7 I8",
		.damaged = true,
		.slow = true,
		.prepare = prepare_exchanged,
		.run = repair,
		.parts = {"repair"},
	},
	{
		.name = "check --repair, marks and records",
		.leaves = "I1 I2 I12",
		.damaged = true,
		.slow = true,
		.prepare = prepare_bad_records,
		.run = repair,
		.parts = {"repair"},
	},
};
const size_t ops_mend_n = countof(ops_mend);
