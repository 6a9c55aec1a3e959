/* SPDX-License-Identifier: ISC */
/*
 * engine - every operation of the store, with a fault at every call to the disk
 *
 * On the engine of t/fault/lib/memory.h, for each operation of t/fault/lib/ops.h and for
 * every n, until the operation passes without the fault:
 *
 *   fail   the n-th call, before or after it did its work, or half of a write; once, or
 *          from then on; with each errno that such a call can have.  Then the same again,
 *          a clean end, a kill, or a power cut.
 *   stop   at the n-th call, as kill -9 does; then power cuts at that moment: all that
 *          the disk may have kept where they are few, a choice of them where they are many.
 *
 * Each time the store is judged (t/fault/lib/judge.h).  At the end come the controls: the
 * same with a disk or a store that lies, which has to be found out.
 *
 *   build/t/fault/engine [OPERATION]   those whose name contains it
 *   POPSTORE_SEED=N                    replays a choice of power cuts
 *   POPSTORE_LONG=1                    many more of them, and every errno for each call
 */
#include "lib/base.h"
#include "t/fault/lib/clock_own.h"
#include "t/fault/lib/counts.h"
#include "t/fault/lib/judge.h"
#include "t/fault/lib/memory.h"
#include "t/fault/lib/process_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CUTS_SHORT = 12, CUTS_CONTROL = 60, CUTS_LONG = 400 };

struct rig {
	struct judge judge;
	struct world w;
	struct memory_state *base;
	uint64_t clock; /* of the base */
	uint64_t seed, random;
	bool every; /* the long form */
	uint64_t calls, faults, stops, cuts, turn;
	char what[200]; /* what is done now, for messages */
};

/* ---- chance: xorshift, from a seed ------------------------------------------------------ */

static uint64_t any(struct rig *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

/* ---- one process ---------------------------------------------------------------------------- */

/* start - the base, and a process that is about to run the operation */
static void start(struct rig *r)
{
	const struct op *op = r->judge.op;
	struct err e = {0};

	memory_load(r->base);
	clock_turn(r->clock);
	last_random = 1000;
	if (op->closed)
		return;
	world_open(&r->w);
	/* Something is always under way: a letter whose line is not synced yet. */
	must(world_deliver_one(&r->w, "bob@example.org", "warm.300", &e) == 1);
	if (op->begin != NULL)
		op->begin(&r->w);
	memory_set_full(op->full);
}

/* end - of the process, clean or not; whatever it had open is closed */
static void end(struct rig *r, bool clean)
{
	memory_set_fault(NULL);
	memory_set_full(false);
	if (!clean)
		memory_stop();
	world_close(&r->w);
	if (memory_open_objects() > 0) {
		judge_wrong(&r->judge, r->what, "%u objects are still open",
			    memory_open_objects());
		exit(1);
	}
}

static void build(struct rig *r)
{
	const struct op *op = r->judge.op;

	memory_fini();
	memory_restart();
	world_init(&r->w, "memory:", op->volumes);
	if (!op->bare) {
		world_base(&r->w);
		if (op->prepare != NULL)
			op->prepare(&r->w);
		world_close(&r->w);
	}
	r->clock = clock_now() + 60000;
	r->base = memory_save();
}

static void learn(struct rig *r)
{
	const struct op *op = r->judge.op;
	struct err e = {0};
	unsigned told;

	snprintf(r->what, sizeof r->what, "without a fault");
	start(r);
	end(r, false);
	memory_restart();
	if (!op->bare)
		judge_learn(&r->judge, &r->judge.before);
	start(r);
	memory_set_fault(NULL);
	told = op->run(&r->w, &e);
	r->calls = memory_calls();
	if (told != (op->refused ? 0 : op_all_parts(op)))
		judge_wrong(&r->judge, "without a fault", "%s", e.text);
	end(r, false);
	memory_restart();
	judge_learn(&r->judge, &r->judge.after);
}

/* ---- power cuts --------------------------------------------------------------------------------- */

/* Which outcome a choice takes: all of them one after the other, by chance, or all but one. */
struct picker {
	enum { COUNT, NUMBER, CHANCE, NOTHING, ALL, ALL_BUT, ONLY } how;
	struct rig *r;
	uint64_t number; /* NUMBER: which of all; ALL_BUT, ONLY: which choice */
	uint64_t states; /* COUNT: how many there are, at most UINT32_MAX */
	uint64_t choices;
};

static unsigned pick(unsigned radix, void *ctx)
{
	struct picker *p = ctx;
	uint64_t choice = p->choices++;
	unsigned one;

	switch (p->how) {
	case COUNT:
		p->states =
			p->states * radix > UINT32_MAX ? UINT32_MAX : p->states * radix;
		return 0;
	case NUMBER:
		one = (unsigned)(p->number % radix);
		p->number /= radix;
		return one;
	case CHANCE:
		return (unsigned)(any(p->r) % radix);
	case NOTHING:
		return 0;
	case ALL:
		return radix - 1;
	case ALL_BUT:
		return choice == p->number ? 0 : radix - 1;
	case ONLY:
		return choice == p->number ? radix - 1 : 0;
	}
	return 0;
}

static void cut(struct rig *r, const struct memory_state *at, struct picker p,
		const struct outcome *o)
{
	struct outcome after = *o;
	char what[300];

	snprintf(what, sizeof what, "%s, power cut (%d, %llu)", r->what, (int)p.how,
		 (unsigned long long)p.number);
	after.what = what;
	after.answered = after.clean = false;
	memory_load(at);
	p.r = r;
	memory_power_cut(pick, &p);
	judge_now(&r->judge, &after);
	r->cuts++;
}

/* cut_all - what the disks may hold after a power cut now; at most `max` of it */
static void cut_all(struct rig *r, const struct memory_state *at, uint64_t max,
		    const struct outcome *o)
{
	struct picker all = {.how = COUNT, .r = r, .states = 1};

	memory_load(at);
	memory_power_cut(pick, &all);
	if (all.states <= max) {
		for (uint64_t i = 0; i < all.states; i++)
			cut(r, at, (struct picker){.how = NUMBER, .number = i}, o);
		return;
	}
	cut(r, at, (struct picker){.how = NOTHING}, o);
	cut(r, at, (struct picker){.how = ALL}, o);
	for (uint64_t i = 2; i < max; i++) {
		uint64_t at_random = any(r);
		struct picker p = {.number = at_random / 4 % all.choices};

		p.how = at_random % 4 == 0 ? ALL_BUT : at_random % 4 == 1 ? ONLY : CHANCE;
		cut(r, at, p, o);
	}
}

/* ---- stops, and the next process ------------------------------------------------------------------------------------------- */

/* second_process - what was killed is done over again by the next one, and then the power
 * fails */
static void second_process(struct rig *r, const struct memory_state *at, uint64_t n)
{
	const struct op *op = r->judge.op;
	struct outcome o = {.what = r->what, .tried_twice = true};
	struct store_recovery recovery;
	struct memory_state *then;
	struct err e = {0};

	if (op->begin != NULL || op->makes)
		return;
	snprintf(r->what, sizeof r->what, "killed at call %llu, done again",
		 (unsigned long long)n);
	memory_load(at);
	if (!op->closed) {
		world_open(&r->w);
		world_ok(store_recover(r->w.store, &recovery, &e_));
	}
	memory_set_full(op->full);
	o.told = op->run(&r->w, &e);
	end(r, false);
	then = memory_save();
	memory_restart();
	cut_all(r, then, 4, &o);
	memory_state_free(&then);
}

/* stop_at - n is 1 more than there are calls: behind the last one */
static void stop_at(struct rig *r, uint64_t n, uint64_t cuts)
{
	const struct op *op = r->judge.op;
	struct memory_fault f = {.at = n, .how = MEMORY_STOP, .error = EIO};
	struct outcome o = {.what = r->what, .answered = true};
	struct memory_state *then;
	struct err e = {0};

	snprintf(r->what, sizeof r->what, "stopped at call %llu", (unsigned long long)n);
	start(r);
	memory_set_fault(&f);
	o.told = op->run(&r->w, &e);
	o.clean = !memory_struck();
	if (memory_struck()) { /* nobody heard of it any more */
		o.told = 0;
		o.answered = false;
	}
	end(r, false);
	then = memory_save();
	memory_restart();
	judge_now(&r->judge, &o);
	r->stops++;
	cut_all(r, then, cuts, &o);
	second_process(r, then, n);
	memory_state_free(&then);
}

/* ---- faults ------------------------------------------------------------------------------------------ */

static const int errors[MEMORY_CLASSES][12] = {
	[MEMORY_LOOK] = {EIO, EMFILE, ENFILE, EACCES, ENOMEM, ESTALE},
	[MEMORY_ADD] = {ENOSPC, EIO, EDQUOT, EROFS, EMFILE, EACCES, ENOMEM, EMLINK,
			ESTALE},
	[MEMORY_TAKE] = {EIO, EROFS, EACCES, ESTALE, ENOMEM},
	[MEMORY_SYNC] = {EIO, ENOSPC, EDQUOT},
};

/* What becomes of the process after the fault. */
enum next { CLOSED, KILLED, CUT, AGAIN, NEXTS };

/* again - what failed once may be asked for again: it works, unless a sync failed */
static void again(struct rig *r, struct outcome *o)
{
	const struct op *op = r->judge.op;
	struct err e = {0};
	unsigned told;

	memory_set_fault(NULL);
	told = op->run(&r->w, &e);
	o->tried_twice = true;
	o->told |= told;
	if (o->told == op_all_parts(op) || op->refused)
		return;
	/* Done the first time, only not said so. */
	if (e.class == ERR_PERM)
		return;
	if (strstr(e.text, "a sync failed") == NULL)
		judge_wrong(&r->judge, r->what, "the second time: %s", e.text);
}

static void fail_at(struct rig *r, const struct memory_fault *f, enum next next)
{
	static const char *const nexts[NEXTS] = {"closed", "killed", "power cut",
						 "again"};
	static const char *const hows[] = {"before", "after", "half"};
	const struct op *op = r->judge.op;
	struct outcome o = {.what = r->what, .answered = f->how_long == MEMORY_ONCE};
	struct memory_state *then;
	struct err e = {0};

	snprintf(r->what, sizeof r->what, "call %llu fails (%s, %d, %s), %s",
		 (unsigned long long)f->at, hows[f->how], (int)f->how_long,
		 strerrorname_np(f->error), nexts[next]);
	start(r);
	memory_set_fault(f);
	o.told = op->run(&r->w, &e);
	if (o.told != op_all_parts(op))
		judge_error(&r->judge, r->what, &e);
	r->faults++;
	if (next == AGAIN)
		again(r, &o);
	end(r, next == CLOSED || next == AGAIN);
	then = memory_save();
	memory_restart();
	if (next == CUT)
		cut_all(r, then, 2, &o);
	else
		judge_now(&r->judge, &o);
	memory_state_free(&then);
}

/* fail_and_go_on - the short form goes on in one way, by turns */
static void fail_and_go_on(struct rig *r, const struct memory_fault *f)
{
	int nexts = f->how_long == MEMORY_ONCE ? NEXTS : AGAIN;

	for (int next = 0; next < nexts; next++)
		if (r->every || next == (int)(r->turn % (unsigned)nexts))
			fail_at(r, f, (enum next)next);
	r->turn++;
}

static void fail_all_ways(struct rig *r, uint64_t n, enum memory_class class)
{
	size_t kinds = 0;

	while (errors[class][kinds] != 0)
		kinds++;
	for (size_t i = 0; i < kinds; i++) {
		/* The short form takes the first errno, and one more by turns. */
		if (!r->every && i > 0 && i != 1 + n % (kinds - 1))
			continue;
		for (int how = MEMORY_BEFORE; how <= MEMORY_HALF; how++) {
			if (how > MEMORY_BEFORE && class == MEMORY_LOOK)
				continue;
			if (how == MEMORY_HALF && class != MEMORY_ADD)
				continue;
			for (int l = MEMORY_ONCE; l <= MEMORY_ALL_FOREVER; l++) {
				struct memory_fault f = {n, (enum memory_how)how,
							 (enum memory_long)l,
							 errors[class][i]};

				fail_and_go_on(r, &f);
			}
		}
	}
}

/* ---- an operation ------------------------------------------------------------------------------------------ */

static void open_rig(struct rig *r, const struct op *op)
{
	r->judge.op = op;
	r->judge.printed = 0;
	/* The same for an operation alone as for all of them. */
	r->random = (r->seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	r->judge.w = &r->w;
	build(r);
	learn(r);
}

static void close_rig(struct rig *r)
{
	judge_fini(&r->judge);
	world_fini(&r->w);
	memory_state_free(&r->base);
}

static void one_operation(struct rig *r, const struct op *op)
{
	uint64_t faults = r->faults, stops = r->stops, cuts = r->cuts, step;
	unsigned char *classes;

	open_rig(r, op);
	classes = xalloc(r->calls + 1);
	start(r);
	memory_set_fault(NULL);
	(void)!op->run(&r->w, &(struct err){0});
	for (uint64_t n = 1; n <= r->calls; n++)
		classes[n] = (unsigned char)memory_class_of(n);
	end(r, false);
	step = op->slow && !r->every ? SLOW_STEP : 1;
	for (uint64_t n = 1; n <= r->calls; n += step)
		fail_all_ways(r, n, (enum memory_class)classes[n]);
	for (uint64_t n = 1; n <= r->calls + 1; n += step)
		stop_at(r, n, r->every ? CUTS_LONG : CUTS_SHORT);
	printf("%-42s %5llu calls %7llu faults %5llu stops %7llu cuts\n", op->name,
	       (unsigned long long)r->calls, (unsigned long long)(r->faults - faults),
	       (unsigned long long)(r->stops - stops),
	       (unsigned long long)(r->cuts - cuts));
	fflush(stdout);
	xfree(&classes);
	close_rig(r);
}

/* ---- controls -------------------------------------------------------------------------------------------------- */

static const struct control {
	const char *what, *op;
	enum memory_lie lie;
	bool skip_recovery;
} controls[] = {
	/* clang-format off */
	{"a delivery without its sync",            "deliver to one",      MEMORY_NO_COMMIT_SYNC, false},
	{"a password without the directory's sync", "passwd",              MEMORY_NO_DIR_SYNC,    false},
	{"a removal without the directory's sync",  "noforward",           MEMORY_NO_DIR_SYNC,    false},
	{"slots let go before the removal's sync", "QUIT with deletions", MEMORY_LATE_SYNC,      false},
	{"an append that failed and was not told", "deliver to one",      MEMORY_NO_APPEND,      false},
	{"no recovery",                            "deliver to one",      MEMORY_HONEST,         true},
	/* clang-format on */
};

static bool is_caught(const struct control *c, uint64_t seed)
{
	struct rig r = {.seed = seed};
	bool caught;

	open_rig(&r, op_named(c->op));
	r.judge.quiet = true;
	r.judge.skip_recovery = c->skip_recovery;
	memory_set_lie(c->lie);
	for (uint64_t n = 1; n <= r.calls + 1; n++)
		stop_at(&r, n, CUTS_CONTROL);
	memory_set_lie(MEMORY_HONEST);
	caught = r.judge.wrong > 0;
	printf("control: %-42s %s (%llu times)\n", c->what,
	       caught ? "found out" : "NOT FOUND OUT", (unsigned long long)r.judge.wrong);
	close_rig(&r);
	return caught;
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : "", *seed = getenv("POPSTORE_SEED");
	struct rig r = {.every = getenv("POPSTORE_LONG") != NULL};
	uint64_t first;
	bool good;

	must(syscall(SYS_getrandom, &first, sizeof first, 0) == sizeof first);
	r.seed = first = seed ? strtoull(seed, NULL, 10) : first % 1000000;
	world_quiet();
	printf("POPSTORE_SEED=%llu\n", (unsigned long long)first);
	storage_add_engine(&storage_memory);
	for (size_t i = 0; i < ops_count(); i++)
		if (strstr(ops_get(i)->name, only) != NULL)
			one_operation(&r, ops_get(i));
	good = r.judge.wrong == 0;
	for (size_t i = 0; only[0] == '\0' && i < countof(controls); i++)
		good = is_caught(&controls[i], first) && good;
	memory_fini();
	count("engine: calls to the disk that failed", r.faults);
	count("engine: stops at a call", r.stops);
	count("engine: power cuts", r.cuts);
	if (!good)
		printf("FAILED: %llu wrong\n", (unsigned long long)r.judge.wrong);
	return good ? 0 : 1;
}
