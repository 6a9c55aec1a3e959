/* SPDX-License-Identifier: ISC */
/*
 * damage - every file of a store damaged in every way: who notices, and what comes back
 *
 * On the disks in memory of t/fault/lib/memory.h, for each harm of t/fault/lib/harm.h, a
 * store that was closed in peace, and one that lost its power with mail under way:
 *
 *   it starts, recovers, and serves the rest: whoever has nothing to do with that file
 *     finds everything as it was, and gets new mail
 *   nobody is ever given an octet that is not his; who is concerned gets an error
 *     that can be tried again, or what was there before
 *   `check` finds it, and names the file or its owner
 *   `check --repair` brings back all that can be proved, with the same ids and octets, and
 *     removes nothing that was not there to be removed; what it leaves, `check` names again
 *
 * At the end come the controls: each has to be found out.
 *
 *   build/t/fault/damage [WAY [KIND]]   "flip maildrop"
 *   POPSTORE_LONG=1                     every octet and every pair, not a part of them
 */
#include "lib/base.h"
#include "store/check.h"
#include "store/id.h"
#include "store/verdict.h"
#include "t/fault/lib/clock_own.h"
#include "t/fault/lib/counts.h"
#include "t/fault/lib/dump.h"
#include "t/fault/lib/harm.h"
#include "t/fault/lib/memory.h"
#include "t/fault/lib/process_own.h"
#include "t/fault/lib/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const disks[] = {"root", "one", "two"};
static const char *const users[] = {"alice@example.org", "bob@example.org",
				    "carol@example.org"};
static const char removed_mail[] = "mail carol@example.org trio.300";
static const char fresh_mail[] = " fresh.300";
static const char new_mail[] = " new.300";

enum {
	PRINTED_MAX = 4, /* of one way and one kind of file */
	FINDINGS_MAX = 1 << 16,
	SMALL = 4096, /* every octet of a file up to so many */
	/* The short form: one of so many. */
	FLIP_STEP = 5, /* after a power cut, and of the controls */
	ZERO_STEP = 5,
	CUT_STEP = 7,
	PAIR_STEP = 13,
	LARGE_STEP = 1999,
	LARGE_STEP_LONG = 97,
};

struct rig {
	struct world w;
	struct memory_state *base;
	uint64_t clock;
	bool crashed; /* power failed with mail under way */
	struct dump before;
	struct harm_list files;
	const char *way, *kind; /* only these */
	bool every;             /* the long form */
	size_t flip_step;

	struct harm harm; /* the one that is judged now */
	struct dump now;
	bool lost; /* something of `before` is not there */
	unsigned told;
	struct buf findings;

	/* What a control leaves out. */
	bool mute, no_repair;
	bool quiet;
	uint64_t wrong, judged, came_back, stayed, done[HARM_WAYS];
	unsigned printed[HARM_WAYS][HARM_KINDS];
	unsigned pairs;
};

static void wrong(struct rig *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void wrong(struct rig *r, const char *fmt, ...)
{
	const struct harm *h = &r->harm;
	va_list ap;

	r->wrong++;
	if (r->quiet || r->printed[h->way][h->file->kind]++ >= PRINTED_MAX)
		return;
	printf("WRONG%s: %s %s/%s", r->crashed ? ", after a power cut" : "",
	       harm_way_name(h->way), h->file->disk, h->file->path);
	if (h->way == HARM_SWAP)
		printf(" with %s/%s", h->other->disk, h->other->path);
	else if (h->way != HARM_REMOVE)
		printf(" at %zu of %zu (%zu)", h->at, h->file->size, h->n);
	printf(": ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* ---- the store before ------------------------------------------------------------------ */

static unsigned nothing(unsigned radix UNUSED, void *ctx UNUSED)
{
	return 0;
}

/* remove_first - carol fetches her only letter and deletes it */
static void remove_hers(struct world *w)
{
	struct account carol = world_account(w, users[2]);
	struct maildrop *m;

	world_ok(maildrop_open(w->store, &carol, &m, &e_));
	must(maildrop_count(m) == 1);
	maildrop_entry(m, 0)->removed = true;
	world_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);
}

static void build(struct rig *r)
{
	static const char *const all[] = {"alice@example.org", "bob@example.org",
					  "carol@example.org", NULL};
	struct err e = {0};

	memory_restart();
	world_init(&r->w, "memory:", WORLD_VOLUMES);
	world_base(&r->w);
	world_open(&r->w);
	must(world_deliver(&r->w, all, "trio.300", &e) == 7);
	remove_hers(&r->w);
	world_ok(store_checkpoint(r->w.store, &e_));
	for (size_t i = 0; i < countof(disks); i++)
		disk_sync(memory_disk(disks[i]), DISK_NOBODY);
	if (r->crashed) {
		must(world_deliver(&r->w, all, "fresh.300", &e) == 7);
		memory_stop();
	}
	world_close(&r->w);
	if (r->crashed)
		memory_power_cut(nothing, NULL);
	memory_restart();
	r->w.base_ms = clock_now();
	r->clock = clock_now() + 600 * 1000;
	r->base = memory_save();
	harm_list(disks, countof(disks), &r->files);
}

static void start(struct rig *r)
{
	memory_load(r->base);
	memory_set_fault(NULL);
	clock_turn(r->clock);
	last_random = 1000;
}

static bool open_and_recover(struct rig *r)
{
	struct store_recovery recovery;
	struct err e;

	if (store_open(r->w.set, &r->w.store, &e) < 0) {
		/* Which of two marks that were exchanged is right, a human has to say. */
		if (r->harm.file == NULL || r->harm.way != HARM_SWAP ||
		    r->harm.file->kind != HARM_MARK || r->harm.other->kind != HARM_MARK)
			wrong(r, "it does not start: %s", e.text);
		return false;
	}
	if (store_recover(r->w.store, &recovery, &e) < 0)
		wrong(r, "recovery: %s", e.text);
	return true;
}

static void close_store(struct rig *r)
{
	world_close(&r->w);
	must(memory_open_objects() == 0);
}

static void learn(struct rig *r)
{
	start(r);
	must(open_and_recover(r));
	dump_of(&r->w, &r->before);
	close_store(r);
}

/* ---- whom a harm concerns ---------------------------------------------------------------- */

static bool has_word(const char *key, const char *word)
{
	const char *at = strstr(key, word);
	size_t n = strlen(word);

	return at != NULL && at > key && at[-1] == ' ' && (at[n] == ' ' || at[n] == '\0');
}

/* mail_of_read - the line of the letter that a read mark belongs to */
static const char *mail_of_read(const struct rig *r, const char *key)
{
	char mail[700];

	snprintf(mail, sizeof mail, "mail %s", key + strlen("read "));
	return dump_get(&r->before, mail);
}

static bool concerns_letter(const struct rig *r, const struct harm_file *f,
			    const char *key)
{
	const char *was = dump_get(&r->before, key);

	if (str_starts(str_of(key), STR("read ")))
		was = mail_of_read(r, key);
	return has_word(key, f->whose) ||
	       (was != NULL && strncmp(was, f->whose, strlen(f->whose)) == 0);
}

static bool file_concerns(const struct rig *r, const struct harm_file *f, const char *key)
{
	switch (f->kind) {
	case HARM_PROFILE:
	case HARM_MAILDROP:
		return has_word(key, f->whose);
	case HARM_SECRET:
		return has_word(key, f->whose) && str_starts(str_of(key), STR("secret"));
	case HARM_DOMAIN:
		return has_word(key, f->whose) && str_starts(str_of(key), STR("domain"));
	case HARM_FORWARDING:
		return has_word(key, f->whose) && str_starts(str_of(key), STR("forw"));
	case HARM_MESSAGE:
		return concerns_letter(r, f, key);
	case HARM_MARK:
	case HARM_NUMBER:
	case HARM_WRITER:
	case HARM_NOTHING:
	case HARM_KINDS:
		break;
	}
	return false;
}

static bool is(const struct rig *r, enum harm_kind kind)
{
	return r->harm.file->kind == kind ||
	       (r->harm.other != NULL && r->harm.other->kind == kind);
}

static bool concerns(const struct rig *r, const char *key)
{
	return file_concerns(r, r->harm.file, key) ||
	       (r->harm.other != NULL && file_concerns(r, r->harm.other, key));
}

/* may_bounce_later - an account that cannot be told, or its domain */
static bool concerns_user(const struct rig *r, const char *user, bool domain_too)
{
	char key[200];

	snprintf(key, sizeof key, "account %s", user);
	return concerns(r, key) || (domain_too && is(r, HARM_DOMAIN));
}

/* ---- what is there ------------------------------------------------------------------------- */

static bool is_good(const char *value)
{
	return strstr(value, ", good") != NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* may_come_back - the line that says that it was removed is gone */
static bool may_come_back(const struct rig *r, const char *key)
{
	return strcmp(key, removed_mail) == 0 && is(r, HARM_MAILDROP) &&
	       r->harm.way != HARM_FLIP;
}

static bool is_new(const char *key)
{
	size_t n = strlen(key), m = sizeof new_mail - 1;

	return n > m && strcmp(key + n - m, new_mail) == 0;
}

/* look_at_new - a line that was not there before: an error, for those whom it concerns */
static void look_at_new(struct rig *r, const struct dump_line *l)
{
	if (is_new(l->key)) {
		if (!is_good(l->value))
			wrong(r, "%s: %s", l->key, l->value);
	} else if (!concerns(r, l->key)) {
		wrong(r, "%s is new: %s", l->key, l->value);
	} else if (is_good(l->value) && !may_come_back(r, l->key)) {
		wrong(r, "%s came from nowhere: %s", l->key, l->value);
	}
}

static void look_at_line(struct rig *r, const struct dump_line *l)
{
	const char *was = dump_get(&r->before, l->key);

	if (strstr(l->value, "WRONG OCTETS") != NULL)
		wrong(r, "%s: %s", l->key, l->value);
	if (was == NULL)
		look_at_new(r, l);
	else if (!same(was, l->value) && !concerns(r, l->key))
		wrong(r, "%s was %s, and is %s", l->key, was, l->value);
	else if (!same(was, l->value) && is_good(l->value))
		wrong(r, "%s was %s, and is another: %s", l->key, was, l->value);
}

/* has_error - somebody who asks for it is told to try again */
static bool has_error(const struct rig *r, const char *kind, const char *name)
{
	char key[200];
	const char *now;

	snprintf(key, sizeof key, "%s %s", kind, name);
	now = dump_get(&r->now, key);
	return now != NULL && str_starts(str_of(now), STR("ERROR"));
}

/* listed_with_error - the maildrop lists the letter under its id, and it cannot be had */
static bool listed_with_error(const struct rig *r, const char *key)
{
	const char *was = dump_get(&r->before, key), *now;
	struct str rest = str_of(key), kind = str_word(&rest), name = str_word(&rest);
	char by_id[200];

	if (was == NULL)
		return false;
	snprintf(by_id, sizeof by_id, STR_FMT " " STR_FMT " %.*s", STR_ARG(kind),
		 STR_ARG(name), ID_CHARS, was);
	now = dump_get(&r->now, by_id);
	return now != NULL && !is_good(now);
}

static bool is_mail(const char *key)
{
	return str_starts(str_of(key), STR("mail "));
}

/* may_vanish - nobody's maildrop had that letter's line when the power failed */
static bool may_vanish(const struct rig *r, const char *key)
{
	size_t n = strlen(key), m = sizeof fresh_mail - 1;

	return r->crashed && n > m && strcmp(key + n - m, fresh_mail) == 0;
}

static bool of_file(const struct rig *r, enum harm_kind kind, const char *key)
{
	const struct harm *h = &r->harm;

	return (h->file->kind == kind && file_concerns(r, h->file, key)) ||
	       (h->other != NULL && h->other->kind == kind &&
		file_concerns(r, h->other, key));
}

static void look_for_line(struct rig *r, const struct dump_line *was)
{
	struct str rest = str_of(was->key), name;
	char owner[100];

	if (dump_get(&r->now, was->key) != NULL)
		return;
	str_word(&rest);
	name = str_word(&rest);
	snprintf(owner, sizeof owner, STR_FMT, STR_ARG(name));
	r->lost = true;
	if (!concerns(r, was->key))
		wrong(r, "%s is gone", was->key);
	else if (of_file(r, HARM_PROFILE, was->key) && !has_error(r, "account", owner) &&
		 !str_starts(name, STR("default@")))
		wrong(r, "%s is gone, and nobody is told", was->key);
	else if (is_mail(was->key) && of_file(r, HARM_MESSAGE, was->key) &&
		 !of_file(r, HARM_PROFILE, was->key) &&
		 !of_file(r, HARM_MAILDROP, was->key) &&
		 !listed_with_error(r, was->key) && !may_vanish(r, was->key))
		wrong(r, "%s is not listed any more", was->key);
}

/* look_at_rest - right after the start: whom it does not concern notices nothing */
static void look_at_rest(struct rig *r)
{
	r->lost = false;
	dump_of(&r->w, &r->now);
	for (size_t i = 0; i < r->now.n; i++)
		look_at_line(r, &r->now.v[i]);
	for (size_t i = 0; i < r->before.n; i++)
		look_for_line(r, &r->before.v[i]);
	dump_free(&r->now);
}

/* ---- new mail --------------------------------------------------------------------------------- */

static void ask(struct rig *r, const char *address, enum verdict_code right,
		bool concerned)
{
	struct verdict v;

	verdict_of(r->w.store, str_of(address), 0, &v);
	if (v.code != right && !(concerned && v.code == VERDICT_TRY_AGAIN) &&
	    !(r->harm.way == HARM_REMOVE && is(r, HARM_DOMAIN) &&
	      v.code == VERDICT_NOT_OURS) &&
	    !(r->harm.way == HARM_REMOVE && is(r, HARM_FORWARDING) &&
	      v.code == VERDICT_NO_USER))
		wrong(r, "%s: the verdict is %s", address, v.word);
	verdict_fini(&v);
}

static void deliver_to_all(struct rig *r)
{
	r->told = 0;
	for (size_t i = 0; i < countof(users); i++) {
		struct err e = {0};

		ask(r, users[i], VERDICT_OK, concerns_user(r, users[i], true));
		if (world_deliver_one(&r->w, users[i], "new.300", &e) != 0)
			r->told |= 1u << i;
		else if (!concerns_user(r, users[i], false))
			wrong(r, "%s gets no mail: %s", users[i], e.text);
		else if (e.class != ERR_TEMP)
			wrong(r, "%s bounces: %s", users[i], e.text);
	}
	ask(r, "sales@example.org", VERDICT_FORWARD,
	    is(r, HARM_FORWARDING) || is(r, HARM_DOMAIN));
	ask(r, "nobody@example.org", VERDICT_NO_USER, is(r, HARM_DOMAIN));
	ask(r, "nobody@example.com", VERDICT_NOT_OURS, false);
}

/* ---- check ---------------------------------------------------------------------------------------- */

static void take_finding(const struct check_finding *f, void *ctx)
{
	struct rig *r = ctx;

	if (!r->mute)
		buf_printf(&r->findings, "%s %s\n", f->invariant, f->what);
}

/* What recovery set aside, since nobody was promised it as far as it could tell. */
static void take_note(const char *text, void *ctx)
{
	struct rig *r = ctx;

	if (!r->mute)
		buf_printf(&r->findings, "note: %s\n", text);
}

static uint64_t check(struct rig *r, bool repair)
{
	struct check_options o = {
		.repair = repair, .finding = take_finding, .note = take_note, .ctx = r};
	struct check_result result = {0};
	struct err e;

	buf_clear(&r->findings);
	if (check_run(r->w.store, &o, &result, &e) < 0)
		wrong(r, "check%s: %s", repair ? " --repair" : "", e.text);
	return result.findings;
}

static bool is_named(const struct rig *r, const struct harm_file *f)
{
	return strstr(buf_cstr(&r->findings), f->whose) != NULL ||
	       strstr(buf_cstr(&r->findings), f->path) != NULL;
}

/* is_fresh - recovery takes what is not whole for what was never synced, and sets it aside */
static bool is_fresh(const struct rig *r, const struct harm_file *f)
{
	char key[100];
	const char *was;

	snprintf(key, sizeof key, "mail %s%s", users[0], fresh_mail);
	was = dump_get(&r->before, key);
	return was != NULL && strncmp(was, f->whose, ID_CHARS) == 0;
}

/* gets_nothing - in this file's place is an empty one now */
static bool gets_nothing(const struct harm *h, const struct harm_file *f)
{
	if (h->way == HARM_SWAP)
		return (f == h->file ? h->other : h->file)->size == 0;
	return h->way == HARM_TRUNCATE && h->at == 0;
}

/* leaves_no_trace - nothing else in the store tells of it, or recovery has seen to it */
static bool leaves_no_trace(const struct rig *r, const struct harm_file *f)
{
	const struct harm *h = &r->harm;

	switch (f->kind) {
	case HARM_NOTHING:
	case HARM_WRITER:
		return true;
	case HARM_NUMBER: /* that there is one counts, not which path it was made for */
		return h->way == HARM_SWAP && h->file->kind == h->other->kind;
	case HARM_FORWARDING:
	case HARM_SECRET:
		return h->way == HARM_REMOVE;
	case HARM_DOMAIN: /* an alias; of another domain its accounts tell */
		return h->way == HARM_REMOVE && strcmp(f->whose, "example.net") == 0;
	case HARM_MAILDROP: /* lines at the end that were never there, as far as one sees */
		return !r->lost && h->way != HARM_FLIP &&
		       (h->way != HARM_SWAP || gets_nothing(h, f));
	case HARM_MESSAGE: /* no file, or one without octets, is what a cut leaves of an unsynced one */
		return is_fresh(r, f) && (h->way == HARM_REMOVE || gets_nothing(h, f));
	case HARM_MARK:
	case HARM_PROFILE:
	case HARM_KINDS:
		break;
	}
	return false;
}

static void look_for_name(struct rig *r, const struct harm_file *f)
{
	if (!is_named(r, f) && !leaves_no_trace(r, f))
		wrong(r, "check does not name %s: %s", f->path,
		      r->findings.n ? buf_cstr(&r->findings) : "sound");
}

static void look_for_names(struct rig *r)
{
	check(r, false);
	look_for_name(r, r->harm.file);
	if (r->harm.other != NULL)
		look_for_name(r, r->harm.other);
}

/* ---- repair ------------------------------------------------------------------------------------------ */

static bool one_octet(const struct harm *h)
{
	return h->way == HARM_FLIP || (h->way == HARM_ZERO && h->n == 1);
}

static bool in_body(const struct harm *h, const struct harm_file *f)
{
	return (h->way == HARM_FLIP || h->way == HARM_ZERO) && h->at + h->n > f->body;
}

/* may_stay - what nothing else in the store can prove */
static bool file_may_stay(const struct harm *h, const struct harm_file *f)
{
	switch (f->kind) {
	case HARM_MESSAGE:
		return in_body(h, f) ||
		       (!one_octet(h) &&
			!(h->way == HARM_SWAP && h->file->kind == h->other->kind));
	case HARM_SECRET:
	case HARM_DOMAIN:
	case HARM_FORWARDING:
		return !one_octet(h);
	case HARM_PROFILE: /* a template has no maildrop to be made again from */
		return !one_octet(h) && str_starts(str_of(f->whose), STR("default@"));
	case HARM_MARK:
	case HARM_NUMBER:
	case HARM_MAILDROP:
	case HARM_WRITER:
	case HARM_NOTHING:
	case HARM_KINDS:
		break;
	}
	return false;
}

/* is_twice - of one account nothing is left that would tell of the other half */
static bool is_twice(const struct harm *h)
{
	return h->other != NULL && strcmp(h->file->whose, h->other->whose) == 0;
}

static bool may_stay(const struct rig *r)
{
	const struct harm *h = &r->harm;

	return file_may_stay(h, h->file) || is_fresh(r, h->file) || is_twice(h) ||
	       (h->other != NULL &&
		(file_may_stay(h, h->other) || is_fresh(r, h->other)));
}

/* letter_may_vanish - its file is not there, or neither it nor its line is whole */
static bool letter_may_vanish(const struct rig *r, const char *key)
{
	if (is_twice(&r->harm))
		return true;
	return of_file(r, HARM_MESSAGE, key) &&
	       (r->harm.way == HARM_REMOVE || listed_with_error(r, key) ||
		may_vanish(r, key) || of_file(r, HARM_MAILDROP, key));
}

/* may_differ - also after the repair */
static bool may_differ(const struct rig *r, const char *key, const char *now)
{
	if (!concerns(r, key))
		return false;
	if (str_starts(str_of(key), STR("read ")))
		return true;
	if (is_mail(key))
		return may_stay(r) &&
		       (now == NULL ? letter_may_vanish(r, key) : !is_good(now));
	if (str_starts(str_of(key), STR("account ")))
		return !one_octet(&r->harm) &&
		       (may_stay(r) ||
			(now != NULL && !str_starts(str_of(now), STR("ERROR"))));
	return may_stay(r);
}

static void look_at_repaired(struct rig *r)
{
	bool all = true;

	dump_of(&r->w, &r->now);
	for (size_t i = 0; i < r->now.n; i++)
		look_at_line(r, &r->now.v[i]);
	for (size_t i = 0; i < r->before.n; i++) {
		const char *key = r->before.v[i].key, *now = dump_get(&r->now, key);

		if (same(now, r->before.v[i].value))
			continue;
		all = false;
		if (!may_differ(r, key, now))
			wrong(r, "repaired, but %s is %s; check says: %s", key,
			      now ? now : "gone",
			      r->findings.n ? buf_cstr(&r->findings) : "sound");
	}
	for (size_t i = 0; i < countof(users); i++) {
		char key[100];

		snprintf(key, sizeof key, "mail %s%s", users[i], new_mail);
		if (r->told & 1u << i && dump_get(&r->now, key) == NULL)
			wrong(r, "new mail of %s is gone", users[i]);
	}
	r->came_back += all;
	dump_free(&r->now);
}

static void repair(struct rig *r)
{
	struct store_recovery recovery;
	struct err e;

	if (!r->no_repair) {
		/* What stood in the way of something may be mended only then. */
		if (check(r, true) > 0)
			check(r, true);
		/* What stood in its way may be mended now; popstored does it every minute. */
		if (store_recover(r->w.store, &recovery, &e) < 0)
			wrong(r, "recovery after the repair: %s", e.text);
	}
	if (check(r, false) > 0) {
		r->stayed++;
		if (!may_stay(r))
			wrong(r, "after the repair: %s", buf_cstr(&r->findings));
	}
	look_at_repaired(r);
}

static void judge(struct rig *r)
{
	start(r);
	if (!harm_do(&r->harm))
		return;
	r->judged++;
	r->done[r->harm.way]++;
	if (open_and_recover(r)) {
		look_at_rest(r);
		deliver_to_all(r);
		look_for_names(r);
		repair(r);
	}
	close_store(r);
}

/* ---- every harm ------------------------------------------------------------------------------------------ */

static bool wanted(const struct rig *r, enum harm_way way, enum harm_kind kind)
{
	return strstr(harm_way_name(way), r->way) != NULL &&
	       strstr(harm_kind_name(kind), r->kind) != NULL;
}

static void harm_octets(struct rig *r, const struct harm_file *f, enum harm_way way,
			size_t at, size_t n, unsigned bit)
{
	if (at + n > f->size && way != HARM_TRUNCATE)
		n = f->size - at;
	r->harm = (struct harm){.way = way, .file = f, .at = at, .n = n, .bit = bit};
	if (wanted(r, way, f->kind))
		judge(r);
}

/* step_at - beyond the small part of a file a few octets stand for all */
static size_t step_at(const struct rig *r, size_t at, size_t step)
{
	if (at >= SMALL)
		return r->every ? LARGE_STEP_LONG : LARGE_STEP;
	return r->every ? 1 : step;
}

static void flip(struct rig *r, const struct harm_file *f)
{
	for (size_t at = 0; at < f->size; at += step_at(r, at, r->flip_step))
		for (unsigned bit = 0; bit < 8; bit++)
			if (r->every || bit == at % 8)
				harm_octets(r, f, HARM_FLIP, at, 1, bit);
}

static void zero(struct rig *r, const struct harm_file *f)
{
	static const size_t blocks[] = {16, 64, 512, 4096};

	for (size_t at = 0; at < f->size; at += step_at(r, at, ZERO_STEP))
		harm_octets(r, f, HARM_ZERO, at, 1, 0);
	for (size_t i = 0; i < countof(blocks); i++)
		for (size_t at = 0; at < f->size && at < SMALL; at += blocks[i])
			harm_octets(r, f, HARM_ZERO, at, blocks[i], 0);
}

static void cut(struct rig *r, const struct harm_file *f)
{
	for (size_t at = 0; at < f->size; at += step_at(r, at, CUT_STEP))
		harm_octets(r, f, HARM_TRUNCATE, at, 0, 0);
}

static void swap(struct rig *r, size_t i)
{
	const struct harm_file *f = &r->files.v[i];

	for (size_t j = i + 1; j < r->files.n; j++) {
		const struct harm_file *other = &r->files.v[j];

		if (!r->every && f->kind != other->kind && r->pairs++ % PAIR_STEP != 0)
			continue;
		r->harm = (struct harm){.way = HARM_SWAP, .file = f, .other = other};
		if (wanted(r, HARM_SWAP, f->kind))
			judge(r);
	}
}

static void all_harms(struct rig *r)
{
	for (size_t i = 0; i < r->files.n; i++) {
		const struct harm_file *f = &r->files.v[i];

		flip(r, f);
		zero(r, f);
		cut(r, f);
		swap(r, i);
		harm_octets(r, f, HARM_REMOVE, 0, 0, 0);
	}
}

static void open_rig(struct rig *r)
{
	memory_fini();
	buf_init(&r->findings, FINDINGS_MAX);
	build(r);
	learn(r);
}

static void close_rig(struct rig *r)
{
	harm_list_free(&r->files);
	dump_free(&r->before);
	buf_fini(&r->findings);
	world_fini(&r->w);
	memory_state_free(&r->base);
}

/* ---- controls ------------------------------------------------------------------------------------------------ */

static const struct control {
	const char *what, *way, *kind;
	bool careless, mute, no_repair;
} controls[] = {
	/* clang-format off */
	{"octets are served without their checksum", "flip", "message",  true,  false, false},
	{"check says nothing",                       "flip", "maildrop", false, true,  false},
	{"nothing is repaired",                      "flip", "maildrop", false, false, true},
	/* clang-format on */
};

static bool is_caught(const struct control *c)
{
	struct rig r = {
		.way = c->way, .kind = c->kind, .quiet = true, .flip_step = FLIP_STEP};
	bool caught;

	open_rig(&r);
	r.w.careless = c->careless;
	r.mute = c->mute;
	r.no_repair = c->no_repair;
	all_harms(&r);
	caught = r.wrong > 0;
	printf("control: %-42s %s (%llu times)\n", c->what,
	       caught ? "found out" : "NOT FOUND OUT", (unsigned long long)r.wrong);
	close_rig(&r);
	return caught;
}

static void count_all(const struct rig *r)
{
	char what[80];

	for (int way = 0; way < HARM_WAYS; way++) {
		snprintf(what, sizeof what, "damage: %s", harm_way_name(way));
		count(what, r->done[way]);
	}
	count("damage: stores in which all came back", r->came_back);
	count("damage: stores in which check goes on naming some", r->stayed);
}

int main(int argc, char **argv)
{
	bool good = true;

	world_quiet();
	storage_add_engine(&storage_memory);
	for (int crashed = 0; crashed < 2; crashed++) {
		struct rig r = {
			.way = argc > 1 ? argv[1] : "",
			.kind = argc > 2 ? argv[2] : "",
			.crashed = crashed,
			.flip_step = crashed ? FLIP_STEP : 1,
			.every = getenv("POPSTORE_LONG") != NULL,
		};

		open_rig(&r);
		all_harms(&r);
		count_all(&r);
		if (r.wrong > 0)
			printf("FAILED: %llu wrong\n", (unsigned long long)r.wrong);
		good = good && r.wrong == 0;
		close_rig(&r);
	}
	for (size_t i = 0; argc == 1 && i < countof(controls); i++)
		good = is_caught(&controls[i]) && good;
	memory_fini();
	return good ? 0 : 1;
}
