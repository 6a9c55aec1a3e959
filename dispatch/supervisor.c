/* SPDX-License-Identifier: ISC */
#include "dispatch/supervisor.h"

#include "dispatch/backoff.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <sysexits.h>

enum phase { RECOVERING, RUNNING, STOPPING };

enum state {
	DOWN,     /* to be started at due_ms */
	STARTING, /* killed at due_ms */
	READY,
	DRAINING, /* serves its last sessions, until due_ms */
	ENDING,   /* killed at due_ms */
};

struct worker {
	const struct service *service;
	unsigned generation;
	enum state state;
	pid_t pid; /* 0 while DOWN */
	uint64_t started_ms, due_ms;
	unsigned restarts;
	char status[SUPERVISOR_TOLD_MAX];
	bool told;   /* DRAINING, ENDING: got its signal, and due_ms is set */
	bool killed; /* got its SIGKILL */
	struct backoff backoff;
	struct worker *next;
};

/* Timed jobs: `popstore VERB`, one process at a time each.  The first row also
 * runs before anything else. */
static const struct job {
	const char *verb;
	const char *first; /* a switch for the run before anything else */
	uint64_t every_ms;
} jobs[] = {
	/* clang-format off */
	/* What writers left behind that died without us.  Our start is the operator's word
	 * that the disks are good; the restart of a worker is not. */
	{"recover", "--resume", 60000},
	/* clang-format on */
};

struct job_run {
	pid_t pid; /* 0: does not run */
	uint64_t due_ms;
	bool again; /* asked for while it ran */
	bool told, killed;
};

struct supervisor {
	enum phase phase;
	enum service_stage stage; /* of the end */
	unsigned generation;
	unsigned wanted[SERVICE_COUNT];
	struct worker *workers;
	struct job_run jobs[countof(jobs)];
	bool ever_ready; /* all were ready once: failures are repaired from now on */
	bool announced;  /* ... in this generation */
	int status;      /* to exit with */

	/* What the last WISH_START or WISH_RUN was about. */
	struct worker *starting;
	struct job_run *running;
};

struct supervisor *supervisor_new(void)
{
	return xalloc(sizeof(struct supervisor));
}

void supervisor_free(struct supervisor **s)
{
	if (*s == NULL)
		return;
	for (struct worker *w = (*s)->workers, *next; w != NULL; w = next) {
		next = w->next;
		xfree(&w);
	}
	xfree(s);
}

/* ---- workers ------------------------------------------------------------------- */

static void add_worker(struct supervisor *s, const struct service *service)
{
	struct worker *w = xalloc(sizeof *w), **at = &s->workers;

	*w = (struct worker){.service = service, .generation = s->generation};
	while (*at != NULL) /* in the order of the table */
		at = &(*at)->next;
	*at = w;
}

static void remove_worker(struct supervisor *s, struct worker *w)
{
	struct worker **at = &s->workers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	xfree(&w);
}

static void enter(struct worker *w, enum state to)
{
	w->state = to;
	w->told = false;
}

static bool was_asked(const struct worker *w)
{
	return w->state == ENDING || w->state == DRAINING;
}

static bool is_old(const struct supervisor *s, const struct worker *w)
{
	return w->generation != s->generation;
}

/* is_replaced - the new generation serves in this one's place */
static bool is_replaced(const struct supervisor *s, const struct worker *old)
{
	if (old->service->binds_itself)
		return true; /* it has to make room first */
	for (const struct worker *w = s->workers; w != NULL; w = w->next)
		if (w->service == old->service && !is_old(s, w) && w->state != READY)
			return false;
	return true;
}

/* has_room - nobody holds the socket that this worker will bind itself */
static bool has_room(const struct supervisor *s, const struct worker *new)
{
	if (!new->service->binds_itself)
		return true;
	for (const struct worker *w = s->workers; w != NULL; w = w->next)
		if (w != new && w->service == new->service && w->state != DOWN)
			return false;
	return true;
}

static void retire_replaced(struct supervisor *s)
{
	for (struct worker *w = s->workers; w != NULL; w = w->next)
		if (is_old(s, w) && w->state == READY && is_replaced(s, w))
			enter(w, w->service->binds_itself ? ENDING : DRAINING);
}

static bool all_ready(const struct supervisor *s)
{
	for (const struct worker *w = s->workers; w != NULL; w = w->next)
		if (!is_old(s, w) && w->state != READY)
			return false;
	return true;
}

static void start_generation(struct supervisor *s)
{
	for (size_t i = 0; i < SERVICE_COUNT; i++)
		for (unsigned n = 0; n < s->wanted[i]; n++)
			add_worker(s, &services[i]);
	s->announced = false;
	retire_replaced(s); /* services that are not configured any more */
}

/* ---- stopping ------------------------------------------------------------------ */

static void drop_workers(struct supervisor *s, bool all)
{
	for (struct worker *w = s->workers, *next; w != NULL; w = next) {
		next = w->next;
		if (!all && !is_old(s, w))
			continue;
		if (w->state == DOWN)
			remove_worker(s, w);
	}
}

static void end_stage(struct supervisor *s)
{
	for (struct worker *w = s->workers; w != NULL; w = w->next)
		if (w->service->stage <= s->stage && w->state != ENDING)
			enter(w, ENDING);
}

static bool stage_over(const struct supervisor *s)
{
	for (size_t i = 0; i < countof(jobs); i++)
		if (s->jobs[i].pid != 0)
			return false;
	for (const struct worker *w = s->workers; w != NULL; w = w->next)
		if (w->service->stage <= s->stage)
			return false;
	return true;
}

static void begin_stop(struct supervisor *s, int status)
{
	if (s->phase == STOPPING)
		return;
	s->phase = STOPPING;
	s->status = status;
	s->stage = STAGE_MTA;
	drop_workers(s, true);
	end_stage(s);
}

/* ---- what happened --------------------------------------------------------------- */

void supervisor_configure(struct supervisor *s, const unsigned workers[SERVICE_COUNT])
{
	if (s->phase == STOPPING)
		return;
	for (size_t i = 0; i < SERVICE_COUNT; i++)
		s->wanted[i] = workers[i];
	if (s->phase == RECOVERING)
		return; /* they start when that is done */
	s->generation++;
	drop_workers(s, false);
	for (struct worker *w = s->workers; w != NULL; w = w->next)
		if (w->state == STARTING) /* never served; the next one takes its place */
			enter(w, ENDING);
	start_generation(s);
}

void supervisor_stop(struct supervisor *s)
{
	begin_stop(s, EX_OK);
}

bool supervisor_ready(struct supervisor *s, pid_t pid)
{
	for (struct worker *w = s->workers; w != NULL; w = w->next) {
		if (w->pid != pid || w->state != STARTING)
			continue;
		w->state = READY;
		retire_replaced(s);
		return true;
	}
	return false;
}

void supervisor_told(struct supervisor *s, pid_t pid, struct str status)
{
	for (struct worker *w = s->workers; w != NULL; w = w->next)
		if (w->pid == pid && w->state == STARTING && !str_has_control(status))
			snprintf(w->status, sizeof w->status, STR_FMT, STR_ARG(status));
}

/* A program that ends well although nobody asked it to is broken all the same. */
static int exit_status(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	return EX_SOFTWARE;
}

static void job_soon(struct job_run *r, uint64_t now_ms)
{
	if (r->pid != 0)
		r->again = true;
	else
		r->due_ms = now_ms;
}

static struct supervisor_end worker_ended(struct supervisor *s, struct worker *w,
					  int status, uint64_t now_ms)
{
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool gone = was_asked(w) || is_old(s, w) || s->phase == STOPPING;
	struct supervisor_end end = {.name = w->service->name,
				     .expected = was_asked(w) && good};
	uint64_t ran_ms = now_ms - w->started_ms;

	if (WIFSIGNALED(status) && w->service->recover_after_crash)
		job_soon(&s->jobs[0], now_ms);
	if (gone) {
		remove_worker(s, w);
	} else if (!s->ever_ready) {
		end.fatal = true;
		remove_worker(s, w);
		begin_stop(s, exit_status(status));
	} else {
		end.restarts = true;
		w->restarts++;
		end.restart_ms = backoff_next(&w->backoff, ran_ms);
		w->state = DOWN;
		w->pid = 0;
		w->killed = false;
		w->due_ms = now_ms + end.restart_ms;
	}
	return end;
}

static struct supervisor_end job_ended(struct supervisor *s, size_t i, int status,
				       uint64_t now_ms)
{
	struct job_run *r = &s->jobs[i];
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	/* What is left is the trouble of a message or an account (EX_DATAERR), or the disk
	 * takes nothing now, being full or read only (EX_TEMPFAIL): nobody who wants to read
	 * or to delete waits for that.  If it is the store that cannot be opened, the
	 * services say so. */
	bool usable = good || (WIFEXITED(status) && (WEXITSTATUS(status) == EX_DATAERR ||
						     WEXITSTATUS(status) == EX_TEMPFAIL));
	struct supervisor_end end = {.name = jobs[i].verb,
				     .expected = good || s->phase == STOPPING};

	*r = (struct job_run){.due_ms = now_ms + (r->again ? 0 : jobs[i].every_ms)};
	if (s->phase == RECOVERING && usable) {
		s->phase = RUNNING;
		start_generation(s);
	} else if (s->phase == RECOVERING) {
		end.fatal = true;
		begin_stop(s, exit_status(status));
	}
	return end;
}

struct supervisor_end supervisor_ended(struct supervisor *s, pid_t pid, int status,
				       uint64_t now_ms)
{
	for (size_t i = 0; i < countof(jobs); i++)
		if (s->jobs[i].pid == pid)
			return job_ended(s, i, status, now_ms);
	for (struct worker *w = s->workers; w != NULL; w = w->next)
		if (w->pid == pid)
			return worker_ended(s, w, status, now_ms);
	return (struct supervisor_end){0};
}

/* ---- for people ------------------------------------------------------------------- */

const char *supervisor_state(const struct supervisor *s)
{
	if (s->phase == STOPPING)
		return "stopping";
	return s->phase == RUNNING && s->announced ? "running" : "starting";
}

bool supervisor_worker(const struct supervisor *s, size_t i,
		       struct supervisor_worker *out)
{
	static const char *const states[] = {
		[DOWN] = "down",         [STARTING] = "starting", [READY] = "ready",
		[DRAINING] = "draining", [ENDING] = "ending",
	};
	const struct worker *w = s->workers;

	for (; w != NULL && i > 0; i--)
		w = w->next;
	if (w == NULL)
		return false;
	*out = (struct supervisor_worker){.service = w->service->name,
					  .state = states[w->state],
					  .pid = w->pid,
					  .since_ms = w->started_ms,
					  .restarts = w->restarts,
					  .told = w->status};
	return true;
}

/* ---- what to do ---------------------------------------------------------------------- */

static struct supervisor_want want_signal(pid_t pid, int signal)
{
	return (struct supervisor_want){
		.wish = WISH_SIGNAL, .pid = pid, .signal = signal};
}

/* end_it - the signal that makes a process end, or none yet; sets *due_ms */
static int end_it(bool *told, bool *killed, uint64_t *due_ms, uint64_t now_ms)
{
	if (!*told) {
		*told = true;
		*due_ms = now_ms + SUPERVISOR_KILL_MS;
		return SIGTERM;
	}
	if (!*killed && now_ms >= *due_ms) {
		*killed = true;
		return SIGKILL;
	}
	return 0;
}

static int worker_signal(struct worker *w, uint64_t now_ms)
{
	if (w->state == DRAINING && !w->told) {
		w->told = true;
		w->due_ms = now_ms + SUPERVISOR_DRAIN_MS;
		return SIGHUP;
	}
	if (w->state == DRAINING && now_ms >= w->due_ms)
		enter(w, ENDING);
	if (w->state == ENDING)
		return end_it(&w->told, &w->killed, &w->due_ms, now_ms);
	if (w->state == STARTING && !w->killed && now_ms >= w->due_ms) {
		w->killed = true;
		return SIGKILL;
	}
	return 0;
}

static bool next_signal(struct supervisor *s, uint64_t now_ms,
			struct supervisor_want *want)
{
	int signal = 0;

	for (size_t i = 0; s->phase == STOPPING && i < countof(jobs); i++) {
		struct job_run *r = &s->jobs[i];

		if (r->pid != 0)
			signal = end_it(&r->told, &r->killed, &r->due_ms, now_ms);
		if (signal != 0) {
			*want = want_signal(r->pid, signal);
			return true;
		}
	}
	for (struct worker *w = s->workers; w != NULL; w = w->next) {
		signal = worker_signal(w, now_ms);
		if (signal != 0) {
			*want = want_signal(w->pid, signal);
			return true;
		}
	}
	return false;
}

static bool next_job(struct supervisor *s, uint64_t now_ms, struct supervisor_want *want)
{
	for (size_t i = 0; i < countof(jobs); i++) {
		if (s->jobs[i].pid != 0 || now_ms < s->jobs[i].due_ms)
			continue;
		s->running = &s->jobs[i];
		*want = (struct supervisor_want){.wish = WISH_RUN, .verb = jobs[i].verb};
		if (s->phase == RECOVERING)
			want->option = jobs[i].first;
		return true;
	}
	return false;
}

static bool next_start(struct supervisor *s, uint64_t now_ms,
		       struct supervisor_want *want)
{
	for (struct worker *w = s->workers; w != NULL; w = w->next) {
		if (w->state != DOWN || now_ms < w->due_ms || !has_room(s, w))
			continue;
		s->starting = w;
		*want = (struct supervisor_want){.wish = WISH_START,
						 .service = w->service};
		return true;
	}
	return false;
}

static void sooner(uint64_t *at_ms, uint64_t due_ms)
{
	if (*at_ms == 0 || due_ms < *at_ms)
		*at_ms = due_ms;
}

/* wait_until - when something is due by itself; 0: never */
static uint64_t wait_until(const struct supervisor *s)
{
	uint64_t at = 0;

	for (size_t i = 0; i < countof(jobs); i++) {
		const struct job_run *r = &s->jobs[i];

		if (s->phase == STOPPING ? r->pid != 0 && !r->killed : r->pid == 0)
			sooner(&at, r->due_ms);
	}
	for (const struct worker *w = s->workers; w != NULL; w = w->next)
		if (w->state != READY && !w->killed &&
		    !(w->state == DOWN && !has_room(s, w)))
			sooner(&at, w->due_ms);
	return at;
}

static struct supervisor_want next_while_stopping(struct supervisor *s)
{
	while (stage_over(s)) {
		if (s->stage + 1 == STAGE_COUNT)
			return (struct supervisor_want){.wish = WISH_EXIT,
							.status = s->status};
		s->stage++;
		end_stage(s);
	}
	return (struct supervisor_want){.wish = WISH_WAIT};
}

struct supervisor_want supervisor_next(struct supervisor *s, uint64_t now_ms)
{
	struct supervisor_want want = {.wish = WISH_WAIT};

	if (s->phase == STOPPING) {
		want = next_while_stopping(s);
		if (want.wish == WISH_EXIT || next_signal(s, now_ms, &want))
			return want;
	} else {
		if (next_signal(s, now_ms, &want) || next_job(s, now_ms, &want))
			return want;
		if (s->phase == RUNNING && next_start(s, now_ms, &want))
			return want;
		if (s->phase == RUNNING && !s->announced && all_ready(s)) {
			s->announced = true;
			s->ever_ready = true;
			return (struct supervisor_want){.wish = WISH_READY};
		}
	}
	want.at_ms = wait_until(s);
	return want;
}

struct supervisor_end supervisor_started(struct supervisor *s, pid_t pid, int status,
					 uint64_t now_ms)
{
	struct worker *w = s->starting;
	struct job_run *r = s->running;

	s->starting = NULL;
	s->running = NULL;
	must((w != NULL) != (r != NULL));
	if (r != NULL) {
		r->pid = pid;
		if (pid < 0)
			return job_ended(s, (size_t)(r - s->jobs), status, now_ms);
		return (struct supervisor_end){0};
	}
	w->pid = pid;
	w->started_ms = now_ms;
	w->due_ms = now_ms + SUPERVISOR_READY_MS;
	w->state = STARTING;
	w->status[0] = '\0';
	if (pid < 0)
		return worker_ended(s, w, status, now_ms);
	return (struct supervisor_end){0};
}
