/* SPDX-License-Identifier: ISC */
/*
 * syscalls - every operation of the store, with a fault at every system call
 *
 * The loops of t/fault/engine.c one level lower: the engine of the programs, on a folder
 * in memory, and the program's own openat(), pwrite(), fsync() ... (t/fault/lib/calls.h).
 * For each operation and for every n, until the operation passes without the fault, the
 * n-th call
 *
 *   fails        with an errno that it can have; once, or for ever for calls of that name
 *   is short     a read or write does one octet, half, or nothing
 *   is the last  the process ends in front of it, as by kill -9
 *
 * and then the store is judged (t/fault/lib/judge.h).  The control: writes that are not done
 * and say that they are.  No power cuts: those are engine.c's, and t/crash cuts the power of
 * real file systems.
 *
 *   build/t/fault/syscalls [OPERATION]   those whose name contains it
 *   POPSTORE_LONG=1                      every errno for each call, not two of them
 */
#include "t/fault/lib/calls_own.h"
#include "t/fault/lib/clock_own.h"
#include "t/fault/lib/counts.h"
#include "t/fault/lib/judge.h"
#include "t/fault/lib/tree.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct rig {
	struct judge judge;
	struct world w;
	char dir[64];
	uint64_t clock;       /* of the base */
	bool every;           /* the long form */
	unsigned char *names; /* of the calls, from 1 */
	uint64_t calls, faults, shorts, stops, turn;
	char what[200]; /* what is done now, for messages */
};

/* ---- the folder ----------------------------------------------------------------------- */

static const char *const leaves[] = {"root", "one", "two"};

struct folder {
	char s[128];
};

static struct folder folder(const struct rig *r, const char *prefix, size_t i)
{
	struct folder f;

	snprintf(f.s, sizeof f.s, "%s/%s%s", r->dir, prefix, leaves[i]);
	return f;
}

static bool is_there(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0;
}

static void move_all(struct rig *r, const char *from, const char *to)
{
	for (size_t i = 0; i < countof(leaves); i++) {
		tree_remove_files(folder(r, to, i).s);
		if (is_there(folder(r, from, i).s))
			tree_copy_files(folder(r, from, i).s, folder(r, to, i).s);
	}
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	must(d != NULL);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* ---- one process -------------------------------------------------------------------------- */

static void start(struct rig *r)
{
	const struct op *op = r->judge.op;
	struct err e = {0};

	move_all(r, "base-", "");
	clock_turn(r->clock);
	if (op->closed)
		return;
	world_open(&r->w);
	must(world_deliver_one(&r->w, "bob@example.org", "warm.300", &e) == 1);
	if (op->begin != NULL)
		op->begin(&r->w);
	calls_set_full(op->full);
}

static void end(struct rig *r, unsigned descriptors)
{
	calls_disarm();
	calls_set_full(false);
	world_close(&r->w);
	if (open_descriptors() != descriptors)
		judge_wrong(&r->judge, r->what, "%u descriptors are still open",
			    open_descriptors() - descriptors);
}

/* in_a_child - a process that runs the operation, and dies in front of the call of the
 * plan or, when that never comes, behind the operation.  Returns what it was told. */
static unsigned in_a_child(struct rig *r, const struct calls_plan *plan)
{
	struct err e = {0};
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		start(r);
		calls_arm(plan);
		/* calls.h ends it with 0: nobody was told anything. */
		_exit((int)r->judge.op->run(&r->w, &e));
	}
	must(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status)) {
		judge_wrong(&r->judge, r->what, "it died of signal %d", WTERMSIG(status));
		return 0;
	}
	return (unsigned)WEXITSTATUS(status);
}

/* ---- what there is before and after ------------------------------------------------------------ */

static void build(struct rig *r)
{
	const struct op *op = r->judge.op;
	struct folder where;

	for (size_t i = 0; i < countof(leaves); i++)
		tree_remove_files(folder(r, "", i).s);
	snprintf(where.s, sizeof where.s, "%s/", r->dir);
	world_init(&r->w, where.s, op->volumes);
	if (!op->bare) {
		world_base(&r->w);
		if (op->prepare != NULL)
			op->prepare(&r->w);
		world_close(&r->w);
	}
	r->clock = clock_now() + 60000;
	move_all(r, "", "base-");
}

static void learn(struct rig *r)
{
	const struct op *op = r->judge.op;
	unsigned descriptors = open_descriptors(), told;
	struct err e = {0};

	snprintf(r->what, sizeof r->what, "without a fault");
	start(r);
	end(r, descriptors);
	if (!op->bare)
		judge_learn(&r->judge, &r->judge.before);
	start(r);
	calls_arm(NULL);
	told = op->run(&r->w, &e);
	r->calls = calls_counted();
	r->names = xalloc(r->calls + 1);
	for (uint64_t n = 1; n <= r->calls; n++)
		r->names[n] = (unsigned char)calls_name_of(n);
	if (told != (op->refused ? 0 : op_all_parts(op)))
		judge_wrong(&r->judge, "without a fault", "%s", e.text);
	end(r, descriptors);
	judge_learn(&r->judge, &r->judge.after);
}

/* ---- faults ---------------------------------------------------------------------------------------- */

static const int errors[CALL_NAMES][12] = {
	/* clang-format off */
	[CALL_OPENAT]    = {EMFILE, EIO, ENOSPC, ENFILE, EACCES, EROFS, EDQUOT, ENOMEM, ESTALE},
	[CALL_PREAD]     = {EIO, EINTR, ESTALE},
	[CALL_PWRITE]    = {ENOSPC, EIO, EDQUOT, EINTR, ESTALE},
	[CALL_FSYNC]     = {EIO, ENOSPC, EDQUOT},
	[CALL_FDATASYNC] = {EIO, ENOSPC, EDQUOT},
	[CALL_SYNCFS]    = {EIO, ENOSPC, EDQUOT},
	[CALL_LINKAT]    = {ENOSPC, EIO, EMLINK, EDQUOT, EROFS, EACCES, ESTALE},
	[CALL_RENAMEAT]  = {ENOSPC, EIO, EDQUOT, EROFS, EACCES, ESTALE},
	[CALL_UNLINKAT]  = {EIO, EROFS, EACCES, EBUSY, ESTALE},
	[CALL_MKDIRAT]   = {ENOSPC, EIO, EMLINK, EDQUOT, EROFS, EACCES},
	[CALL_FTRUNCATE] = {EIO, EROFS, EINTR, ESTALE},
	[CALL_FLOCK]     = {ENOLCK, EINTR, EIO, ESTALE},
	[CALL_FSTAT]     = {EIO, ESTALE, ENOMEM},
	[CALL_FACCESSAT] = {EIO, EACCES, ESTALE, ENOMEM},
	[CALL_FSTATVFS]  = {EIO, ESTALE, ENOMEM},
	[CALL_READDIR]   = {EIO, ESTALE},
	[CALL_FUTIMENS]  = {EIO, EROFS, EACCES, ESTALE},
	/* clang-format on */
};

enum next { CLOSED, KILLED, AGAIN, NEXTS };

static void again(struct rig *r, struct outcome *o)
{
	const struct op *op = r->judge.op;
	struct err e = {0};
	unsigned told;

	calls_disarm();
	told = op->run(&r->w, &e);
	o->tried_twice = true;
	o->told |= told;
	/* Done the first time, only not said so: PERM. */
	if (o->told != op_all_parts(op) && !op->refused && e.class != ERR_PERM &&
	    strstr(e.text, "a sync failed") == NULL)
		judge_wrong(&r->judge, r->what, "the second time: %s", e.text);
}

static void describe(struct rig *r, const struct calls_plan *p, enum next next)
{
	static const char *const nexts[NEXTS] = {"closed", "killed", "again"};
	static const char *const faults[] = {"fails",       "does one octet",
					     "does half",   "does nothing",
					     "is the last", "lies"};

	snprintf(r->what, sizeof r->what, "call %llu (%s) %s%s%s%s, %s",
		 (unsigned long long)p->at, call_text((enum call_name)r->names[p->at]),
		 faults[p->fault], p->fault == CALL_FAILS ? " with " : "",
		 p->fault == CALL_FAILS ? strerrorname_np(p->error) : "",
		 p->forever ? " for ever" : "", nexts[next]);
}

static void fault_at(struct rig *r, const struct calls_plan *p, enum next next)
{
	const struct op *op = r->judge.op;
	struct outcome o = {.what = r->what, .answered = !p->forever};
	unsigned descriptors = open_descriptors();
	struct err e = {0};

	describe(r, p, next);
	if (next == KILLED) {
		o.told = in_a_child(r, p);
	} else {
		start(r);
		calls_arm(p);
		o.told = op->run(&r->w, &e);
		if (o.told != op_all_parts(op))
			judge_error(&r->judge, r->what, &e);
		if (next == AGAIN)
			again(r, &o);
		end(r, descriptors);
	}
	judge_now(&r->judge, &o);
	if (p->fault == CALL_FAILS)
		r->faults++;
	else
		r->shorts++;
}

/* once_and_for_ever - the short form takes what comes next by turns */
static void once_and_for_ever(struct rig *r, struct calls_plan p)
{
	for (int next = 0; next < NEXTS; next++)
		if (r->every || (uint64_t)next == r->turn % NEXTS)
			fault_at(r, &p, (enum next)next);
	p.forever = true;
	/* A call that is interrupted for ever is asked for ever. */
	if (p.fault == CALL_FAILS && p.error != EINTR && (r->every || r->turn % 2 == 0))
		fault_at(r, &p, CLOSED);
	r->turn++;
}

static void fail_all_ways(struct rig *r, uint64_t n)
{
	const int *of = errors[r->names[n]];
	bool moves = r->names[n] == CALL_PREAD || r->names[n] == CALL_PWRITE;
	size_t kinds = 0;

	while (of[kinds] != 0)
		kinds++;
	for (size_t i = 0; i < kinds; i++)
		if (r->every || i == 0 || i == 1 + r->turn % (kinds - 1))
			once_and_for_ever(r, (struct calls_plan){
						     .at = n,
						     .error = of[i],
					     });
	for (int f = CALL_DOES_ONE; moves && f <= CALL_DOES_NONE; f++)
		if (f != CALL_DOES_NONE || r->names[n] == CALL_PWRITE)
			once_and_for_ever(r, (struct calls_plan){
						     .at = n,
						     .fault = (enum call_fault)f,
					     });
}

/* stop_at - n is 1 more than there are calls: behind the last one */
static void stop_at(struct rig *r, uint64_t n)
{
	struct calls_plan p = {.at = n, .fault = CALL_EXITS};
	struct outcome o = {.what = r->what};

	snprintf(r->what, sizeof r->what, "killed at call %llu (%s)",
		 (unsigned long long)n,
		 n <= r->calls ? call_text((enum call_name)r->names[n]) : "behind");
	o.told = in_a_child(r, &p);
	o.clean = o.answered = n > r->calls;
	judge_now(&r->judge, &o);
	r->stops++;
}

/* ---- an operation ---------------------------------------------------------------------------------------- */

static void open_rig(struct rig *r, const struct op *op)
{
	r->judge.op = op;
	r->judge.w = &r->w;
	r->judge.printed = 0;
	build(r);
	learn(r);
}

static void close_rig(struct rig *r)
{
	xfree(&r->names);
	judge_fini(&r->judge);
	world_fini(&r->w);
}

static void one_operation(struct rig *r, const struct op *op)
{
	uint64_t faults = r->faults, shorts = r->shorts, stops = r->stops;

	uint64_t step = op->slow && !r->every ? SLOW_STEP : 1;

	open_rig(r, op);
	for (uint64_t n = 1; n <= r->calls; n += step)
		fail_all_ways(r, n);
	for (uint64_t n = 1; n <= r->calls + 1; n += step)
		stop_at(r, n);
	printf("%-42s %5llu calls %6llu faults %5llu short %5llu stops\n", op->name,
	       (unsigned long long)r->calls, (unsigned long long)(r->faults - faults),
	       (unsigned long long)(r->shorts - shorts),
	       (unsigned long long)(r->stops - stops));
	fflush(stdout);
	close_rig(r);
}

/* is_caught - the control: a write that is not done, and whose failure nobody was told */
static bool is_caught(struct rig *r, const char *name)
{
	uint64_t wrong = r->judge.wrong, shorts = r->shorts, caught;

	r->judge.quiet = true;
	open_rig(r, op_named(name));
	for (uint64_t n = 1; n <= r->calls; n++) {
		struct calls_plan p = {.at = n, .fault = CALL_LIES};

		if (r->names[n] == CALL_PWRITE)
			fault_at(r, &p, KILLED);
	}
	close_rig(r);
	caught = r->judge.wrong - wrong;
	r->judge.quiet = false;
	r->judge.wrong = wrong;
	r->shorts = shorts;
	printf("control: writes not done, %-16s %s (%llu times)\n", name,
	       caught ? "found out" : "NOT FOUND OUT", (unsigned long long)caught);
	return caught > 0;
}

int main(int argc, char **argv)
{
	static const char *const controls[] = {"deliver to one", "QUIT with deletions",
					       "passwd"};
	const char *only = argc > 1 ? argv[1] : "";
	bool good;
	struct rig r = {.every = getenv("POPSTORE_LONG") != NULL};

	world_quiet();
	snprintf(r.dir, sizeof r.dir, "%s/popstore-fault-XXXXXX",
		 is_there("/dev/shm") ? "/dev/shm" : "/tmp");
	must(mkdtemp(r.dir) != NULL);
	for (size_t i = 0; i < ops_count(); i++)
		if (strstr(ops_get(i)->name, only) != NULL)
			one_operation(&r, ops_get(i));
	good = r.judge.wrong == 0;
	for (size_t i = 0; only[0] == '\0' && i < countof(controls); i++)
		good = is_caught(&r, controls[i]) && good;
	tree_remove_files(r.dir);
	count("system calls that failed", r.faults);
	count("reads and writes cut short", r.shorts);
	count("kills at a system call", r.stops);
	if (r.judge.wrong > 0)
		printf("FAILED: %llu wrong\n", (unsigned long long)r.judge.wrong);
	return good ? 0 : 1;
}
