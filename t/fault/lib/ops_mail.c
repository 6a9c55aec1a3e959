/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/ops.h"

#include "store/domain.h"
#include "store/storage.h"
#include "store/verdict.h"

#include <stdio.h>
#include <string.h>

static unsigned told(int rc)
{
	return rc == 0 ? 1 : 0;
}

/* ---- deliveries ------------------------------------------------------------------------ */

static unsigned deliver_one(struct world *w, struct err *e)
{
	return world_deliver_one(w, "alice@example.org", "new.300", e);
}

static unsigned deliver_first(struct world *w, struct err *e)
{
	return world_deliver_one(w, "carol@example.org", "new.300", e);
}

static unsigned deliver_many(struct world *w, struct err *e)
{
	static const char *const names[] = {"alice@example.org", "bob@example.org",
					    "carol@example.org", NULL};

	return world_deliver(w, names, "new.300", e);
}

/* As a filter does that discards it for bob. */
static unsigned deliver_but_bob(struct world *w, struct err *e)
{
	unsigned done;

	w->left_out = 1u << 1;
	done = deliver_many(w, e);
	w->left_out = 0;
	return (done & 1) | (done >> 2 & 1) << 1;
}

/* Lines that are not synced, over some blocks of the maildrop. */
static void deliver_long_lines(struct world *w)
{
	struct err e = {0};

	for (int i = 0; i < 6; i++) {
		char label[32];

		snprintf(label, sizeof label, WORLD_LONG_LINE "%d.100", i);
		must(world_deliver_one(w, "alice@example.org", label, &e) == 1);
	}
}

/* Larger than what is held back for one write. */
static unsigned deliver_large(struct world *w, struct err *e)
{
	return world_deliver_one(w, "alice@example.org", "new.200000", e);
}

/* One after the other, so that each volume gets one. */
static unsigned deliver_volumes(struct world *w, struct err *e)
{
	unsigned parts = world_deliver_one(w, "alice@example.org", "new.300", e);

	return parts | world_deliver_one(w, "bob@example.org", "other.300", e) << 1;
}

/* ---- folders ------------------------------------------------------------------------------ */

/* file - as a filter does for alice, who keeps it or not */
static unsigned file(struct world *w, const char *label, bool keep, struct err *e)
{
	static const char *const names[] = {"alice@example.org", "bob@example.org", NULL};
	unsigned done;

	w->folder = "Work";
	w->left_out = keep ? 0 : 1;
	done = world_deliver(w, names, label, e);
	w->folder = NULL;
	w->left_out = 0;
	return done;
}

static unsigned file_first(struct world *w, struct err *e)
{
	return file(w, "new.300", false, e);
}

static unsigned file_and_keep(struct world *w, struct err *e)
{
	return file(w, "new.300", true, e);
}

static unsigned file_large(struct world *w, struct err *e)
{
	return file(w, "new.200000", true, e);
}

static void prepare_folder(struct world *w)
{
	struct err e = {0};

	world_open(w);
	must(file(w, "filed.300", true, &e) == 3);
	world_close(w);
}

/* ---- sessions ---------------------------------------------------------------------------- */

static void log_in(struct world *w)
{
	struct account a = world_account(w, "alice@example.org");

	world_ok(maildrop_open(w->store, &a, &w->session, &e_));
	must(w->session != NULL);
}

static int commit(struct world *w, struct err *e)
{
	struct err tidy = {0};
	int rc = maildrop_commit(w->session, &tidy);

	if (rc < 0)
		*e = tidy;
	return rc;
}

static unsigned mark_read(struct world *w, struct err *e)
{
	maildrop_entry(w->session, 0)->seen = true;
	return told(commit(w, e));
}

/* One that bob has too, one that nobody else has. */
static unsigned quit(struct world *w, struct err *e)
{
	for (size_t i = 0; i < maildrop_count(w->session); i++)
		maildrop_entry(w->session, i)->removed = true;
	return told(commit(w, e));
}

/* Login, one letter fetched, one deleted, QUIT: from the beginning. */
static unsigned whole_session(struct world *w, struct err *e)
{
	struct name n = world_name("alice@example.org");
	struct account a;
	char label[64];
	bool found;

	if (account_find(w->store, &n, &a, &found, e) < 0)
		return 0;
	must(found);
	if (w->session == NULL && maildrop_open(w->store, &a, &w->session, e) < 0)
		return 0;
	if (maildrop_count(w->session) < 2) /* a process before this one came to it */
		return 0;
	if (maildrop_touch(w->session, e) < 0 ||
	    !world_read_letter(w, maildrop_entry(w->session, 0), label, e))
		return 0;
	maildrop_entry(w->session, 0)->seen = true;
	maildrop_entry(w->session, 1)->removed = true;
	return told(commit(w, e));
}

enum { HISTORY = 10 };

/* Letters whose lines are long: when they go, most of the maildrop is history. */
static void prepare_history(struct world *w)
{
	struct err e = {0};

	world_open(w);
	for (int i = 0; i < HISTORY; i++) {
		char label[32];

		snprintf(label, sizeof label, WORLD_LONG_LINE "%d.100", i);
		must(world_deliver_one(w, "alice@example.org", label, &e) == 1);
	}
	world_close(w);
}

/* One more, so young that its tombstone stays. */
static void log_in_with_a_young_one(struct world *w)
{
	struct err e = {0};

	must(world_deliver_one(w, "alice@example.org", "young.300", &e) == 1);
	log_in(w);
}

static unsigned quit_all_but_one(struct world *w, struct err *e)
{
	for (size_t i = 1; i < maildrop_count(w->session); i++)
		maildrop_entry(w->session, i)->removed = true;
	return told(commit(w, e));
}

/* ---- checkpoints and writers --------------------------------------------------------------------- */

static void deliver_before(struct world *w)
{
	struct err e = {0};

	must(world_deliver_one(w, "alice@example.org", "before.300", &e) == 1);
}

static unsigned checkpoint(struct world *w, struct err *e)
{
	return told(store_checkpoint(w->store, e));
}

/* A whole process: opened, a writer's number taken, a letter delivered, closed. */
static unsigned whole_process(struct world *w, struct err *e)
{
	unsigned parts;

	if (store_open(w->set, &w->store, e) < 0)
		return 0;
	parts = world_deliver_one(w, "alice@example.org", "new.300", e);
	world_close(w);
	return parts;
}

/* ---- only looking -------------------------------------------------------------------------------------- */

static bool count_one(const struct account *a UNUSED, void *ctx)
{
	++*(unsigned *)ctx;
	return true;
}

/* is - a recipient's verdict, or TRY_AGAIN with a reason */
static int is(struct world *w, const char *recipient, enum verdict_code want,
	      struct err *e)
{
	struct verdict v;
	int rc = 0;

	verdict_of(w->store, str_of(recipient), 1000, &v);
	if (v.code == VERDICT_TRY_AGAIN) {
		*e = v.why;
		rc = -1;
	} else if (v.code != want) {
		printf("WRONG: the verdict of %s is %s\n", recipient, v.word);
		must(v.code == want);
	}
	verdict_fini(&v);
	return rc;
}

static int totals(struct world *w, struct err *e)
{
	struct name n = world_name("alice@example.org");
	struct account_usage use;
	struct account a;
	bool found;

	if (account_find(w->store, &n, &a, &found, e) < 0)
		return -1;
	must(found);
	if (account_usage(w->store, &a, &use, e) < 0)
		return -1;
	must(use.messages == 2 && use.octets > 600);
	return 0;
}

/* What cannot be told is "try again", and never "no". */
static unsigned look(struct world *w, struct err *e)
{
	unsigned n = 0;

	if (is(w, "alice@example.org", VERDICT_OK, e) < 0 ||
	    is(w, "alice+list@example.net", VERDICT_OK, e) < 0 ||
	    is(w, "sales@example.org", VERDICT_FORWARD, e) < 0 ||
	    is(w, "nobody@example.org", VERDICT_NO_USER, e) < 0 ||
	    is(w, "alice@example.edu", VERDICT_NOT_OURS, e) < 0 || totals(w, e) < 0 ||
	    account_each(w->store, STR("*"), count_one, &n, e) < 0)
		return 0;
	must(n == 1 + WORLD_USERS);
	return 1;
}

/* ---- the rows -------------------------------------------------------------------------------------------- */

#define MAIL(name) "mail " name "@example.org "

const struct op ops_mail[] = {
	{
		.name = "deliver to one",
		.run = deliver_one,
		.parts = {MAIL("alice")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "deliver to one, the first letter",
		.run = deliver_first,
		.parts = {MAIL("carol")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "deliver to three",
		.run = deliver_many,
		.parts = {MAIL("alice"), MAIL("bob"), MAIL("carol")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "deliver to two, and discard it for a third",
		.run = deliver_but_bob,
		.parts = {MAIL("alice"), MAIL("carol")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "deliver behind lines that are not synced",
		.begin = deliver_long_lines,
		.run = deliver_one,
		.parts = {MAIL("alice")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "deliver 200 KB",
		.run = deliver_large,
		.parts = {MAIL("alice")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "file into a folder that is made for it",
		.run = file_first,
		.parts = {"mail alice", MAIL("bob")},
		.twice = true,
		.leaves = "I4 I5 I7 I9",
	},
	{
		.name = "file into a folder, and keep",
		.prepare = prepare_folder,
		.run = file_and_keep,
		.parts = {"mail alice", MAIL("bob")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "file 200 KB into a folder",
		.volumes = 2,
		.prepare = prepare_folder,
		.run = file_large,
		.parts = {"mail alice", MAIL("bob")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "deliver to two volumes",
		.volumes = 2,
		.run = deliver_volumes,
		.parts = {MAIL("alice"), MAIL("bob")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "deliver, the disk full",
		.full = true,
		.refused = true,
		.run = deliver_one,
		.parts = {MAIL("alice")},
		.leaves = "I5 I7 I9",
	},
	{
		.name = "read mark",
		.begin = log_in,
		.run = mark_read,
		.parts = {""},
		.either = "read ",
		.leaves = "I5",
	},
	{
		.name = "QUIT with deletions",
		.begin = log_in,
		.run = quit,
		.parts = {""},
		.undone = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "QUIT with deletions, two volumes",
		.volumes = 2,
		.begin = log_in,
		.run = quit,
		.parts = {""},
		.undone = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "QUIT with deletions, the disk full",
		.full = true,
		.begin = log_in,
		.run = quit,
		.parts = {""},
		.undone = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "login, RETR, DELE, QUIT",
		.run = whole_session,
		.parts = {MAIL("alice")},
		.either = "read ",
		.undone = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "QUIT that compacts",
		.prepare = prepare_history,
		.begin = log_in_with_a_young_one,
		.run = quit_all_but_one,
		.parts = {""},
		.undone = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "checkpoint",
		.begin = deliver_before,
		.run = checkpoint,
		.parts = {"checkpoint"},
	},
	{
		.name = "a process that delivers",
		.closed = true,
		.run = whole_process,
		.parts = {MAIL("alice")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "a process that delivers, two volumes",
		.closed = true,
		.volumes = 2,
		.run = whole_process,
		.parts = {MAIL("alice")},
		.twice = true,
		.leaves = "I5 I7 I9",
	},
	{
		.name = "verdict, usage, list",
		.run = look,
		.parts = {"looking"},
	},
};
const size_t ops_mail_n = countof(ops_mail);
