/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/judge.h"

#include "store/check.h"
#include "store/standing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PRINTED_MAX = 40 };

void judge_wrong(struct judge *j, const char *what, const char *fmt, ...)
{
	va_list ap;

	j->wrong++;
	if (j->quiet || ++j->printed > PRINTED_MAX)
		return;
	printf("WRONG: %s, %s: ", j->op->name, what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* ---- sound? ------------------------------------------------------------------------------ */

struct finding {
	struct judge *j;
	const struct outcome *o;
	bool repaired; /* this is the check after the repair */
};

static void take_finding(const struct check_finding *f, void *ctx)
{
	struct finding *x = ctx;
	const char *leaves = x->j->op->leaves;

	if (x->repaired)
		judge_wrong(x->j, x->o->what, "after the repair: %s %s", f->invariant,
			    f->what);
	else if ((x->o->clean && !x->j->op->damaged) || leaves == NULL ||
		 strstr(leaves, f->invariant) == NULL)
		judge_wrong(x->j, x->o->what, "check: %s %s", f->invariant, f->what);
}

static uint64_t check(struct judge *j, const struct outcome *o, bool repair,
		      bool repaired)
{
	struct finding x = {j, o, repaired};
	struct check_options how = {
		.repair = repair, .finding = repair ? NULL : take_finding, .ctx = &x};
	struct check_result r;

	world_ok(check_run(j->w->store, &how, &r, &e_));
	return r.findings;
}

/* resume - popstored is started again, by somebody who looked after the disks */
static bool resume(struct judge *j, const struct outcome *o)
{
	struct err e;
	size_t n;

	if (store_resume(j->w->store, &n, &e) < 0)
		judge_wrong(j, o->what, "resume: %s", e.text);
	return true;
}

/* open_again - false when there is no store to speak of */
static bool open_again(struct judge *j, const struct outcome *o)
{
	struct world *w = j->w;
	struct err e;

	if (store_open(w->set, &w->store, &e) == 0)
		return resume(j, o);
	if (!j->op->makes) {
		judge_wrong(j, o->what, "%s", e.text);
		return false;
	}
	/* Halfway made: the same again completes it. */
	if (store_init(w->set, &e) < 0 || store_open(w->set, &w->store, &e) < 0) {
		judge_wrong(j, o->what, "again: %s", e.text);
		return false;
	}
	return true;
}

static void recover(struct judge *j, const struct outcome *o)
{
	struct store_recovery r;
	struct err e;

	if (j->skip_recovery)
		return;
	if (store_recover(j->w->store, &r, &e) < 0)
		judge_wrong(j, o->what, "recovery: %s", e.text);
	else if (r.failed > 0)
		judge_wrong(j, o->what, "recovery left behind: %s", r.why.text);
}

/* restore - a new process brings the store up; false when it cannot */
static bool restore(struct judge *j, const struct outcome *o)
{
	if (!open_again(j, o))
		return false;
	recover(j, o);
	if (check(j, o, false, false) > 0) {
		check(j, o, true, false);
		check(j, o, false, true);
	}
	return true;
}

/* ---- true? --------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_second_copy(const char *key)
{
	size_t n = strlen(key);

	return n > 2 && strcmp(key + n - 2, "#2") == 0;
}

static bool has_prefix(const char *key, const char *prefix)
{
	return prefix != NULL && strncmp(key, prefix, strlen(prefix)) == 0;
}

static const char *shown(const char *value)
{
	return value ? value : "nothing";
}

static void compare_key(struct judge *j, const struct outcome *o, const char *key,
			const char *now)
{
	const struct op *op = j->op;
	const char *before = dump_get(&j->before, key), *after = dump_get(&j->after, key);
	unsigned part = op_part_of(op, key);
	bool told = part < OP_PARTS && (o->told & 1u << part);

	if (has_prefix(key, op->either))
		return;
	if (op->undone && o->answered && !told && same(now, after) &&
	    !same(before, after))
		judge_wrong(j, o->what, "refused, but done: %s", key);
	if (same(now, after))
		return;
	if (same(now, before) && !told)
		return;
	if (has_prefix(key, op->torn) && !told && now != NULL &&
	    str_starts(str_of(now), STR("ERROR")))
		return;
	if (op->between != NULL && !told && same(now, op->between))
		return;
	if (op->twice && o->tried_twice && before == NULL && after == NULL &&
	    is_second_copy(key))
		return;
	judge_wrong(j, o->what, "%s%s: it was %s, should be %s, and is %s",
		    told ? "acknowledged, but " : "", key, shown(before), shown(after),
		    shown(now));
}

static void compare(struct judge *j, const struct outcome *o, const struct dump *now)
{
	for (size_t i = 0; i < now->n; i++)
		compare_key(j, o, now->v[i].key, now->v[i].value);
	for (size_t i = 0; i < j->before.n; i++)
		if (dump_get(now, j->before.v[i].key) == NULL)
			compare_key(j, o, j->before.v[i].key, NULL);
	for (size_t i = 0; i < j->after.n; i++)
		if (dump_get(now, j->after.v[i].key) == NULL &&
		    dump_get(&j->before, j->after.v[i].key) == NULL)
			compare_key(j, o, j->after.v[i].key, NULL);
}

void judge_now(struct judge *j, const struct outcome *o)
{
	struct dump now = {0};

	if (restore(j, o)) {
		dump_of(j->w, &now);
		compare(j, o, &now);
	}
	world_close(j->w);
	dump_free(&now);
}

void judge_learn(struct judge *j, struct dump *out)
{
	struct outcome o = {.what = "without a fault", .clean = true};

	dump_free(out);
	if (restore(j, &o))
		dump_of(j->w, out);
	world_close(j->w);
}

void judge_error(struct judge *j, const char *what, const struct err *e)
{
	if (e->class != ERR_TEMP)
		judge_wrong(j, what, "the refusal is not temporary: %d %s", (int)e->class,
			    e->text);
	if (strstr(e->text, j->w->places[0]) == NULL && strchr(e->text, '/') == NULL &&
	    strstr(e->text, "example") == NULL && strstr(e->text, "memory:") == NULL &&
	    strstr(e->text, "volume") == NULL)
		judge_wrong(j, what, "the refusal names nothing: %s", e->text);
}

void judge_fini(struct judge *j)
{
	dump_free(&j->before);
	dump_free(&j->after);
}
