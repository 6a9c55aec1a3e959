/* SPDX-License-Identifier: ISC */
#include "dispatch/dispatcher.h"

#include "dispatch/channels.h"
#include "dispatch/child.h"
#include "dispatch/notice.h"
#include "dispatch/roster.h"
#include "dispatch/sockets.h"
#include "dispatch/supervisor.h"

#include "lib/conn.h"
#include "lib/log.h"
#include "lib/server.h"
#include "store/role.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct dispatcher {
	const char *file, *bin;
	struct supervisor *supervisor;
	struct sockets sockets;
	struct channels channels;
	int signals, notices;
	char notify[NOTICE_NAME_MAX];
	char *root;
	struct roster *roster; /* NULL: it could not be made yet */
	bool roster_told;      /* ... and the log says so */
	bool was_ready;
};

/* ---- telling people -------------------------------------------------------------- */

/* Kept apart from the log, which may go to syslog: who waits for this line has our
 * standard error. */
static void say_ready(struct dispatcher *d)
{
	static const char line[] = "ready\n";

	log_event(LOG_LV_INFO, "dispatch.ready", kv_u("pid", (uint64_t)getpid()));
	if (!d->was_ready) {
		/* Nobody is left to tell when standard error is gone. */
		ssize_t rc UNUSED = write(STDERR_FILENO, line, sizeof line - 1);
	}
	d->was_ready = true;
	server_notify("READY=1");
}

static void log_end(const struct supervisor_end *end, pid_t pid, int status)
{
	if (end->name == NULL)
		return;
	log_event(end->expected ? LOG_LV_DEBUG : LOG_LV_ERROR, "dispatch.ended",
		  kv_s("service", end->name), kv_u("pid", (uint64_t)pid),
		  kv_u("status", WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0),
		  kv_u("signal", WIFSIGNALED(status) ? (uint64_t)WTERMSIG(status) : 0),
		  kv_s("then", end->fatal      ? "give up"
			       : end->restarts ? "restart"
					       : "nothing"),
		  kv_u("after_ms", end->restart_ms));
}

/* ---- children -------------------------------------------------------------------- */

static void program_path(const struct dispatcher *d, const char *name,
			 char path[PATH_MAX + NAME_MAX])
{
	snprintf(path, PATH_MAX + NAME_MAX, "%s/%s", d->bin, name);
}

/* start - and tell the supervisor of the new child, or that there is none */
static void start(struct dispatcher *d, const struct child *c)
{
	int status = W_EXITCODE(EX_OSERR, 0);
	struct err e;
	pid_t pid;

	if (child_start(c, &pid, &e) < 0)
		log_event(LOG_LV_ERROR, "dispatch.fork.failed", kv_err(&e));

	struct supervisor_end end =
		supervisor_started(d->supervisor, pid, status, clock_ms());

	if (pid < 0)
		log_end(&end, 0, status);
}

static void start_service(struct dispatcher *d, const struct service *service)
{
	const struct listening *sockets[CHILD_SOCKETS];
	char path[PATH_MAX + NAME_MAX];
	const char *argv[] = {service->program, "-c", d->file, service->option, NULL};
	struct child c = {.path = path,
			  .argv = argv,
			  .sockets = sockets,
			  .n_sockets = sockets_of(&d->sockets, service, sockets),
			  .notify = d->notify};

	c.n_sockets += channels_of(&d->channels, service, sockets + c.n_sockets);
	program_path(d, service->program, path);
	start(d, &c);
}

static void run_job(struct dispatcher *d, const char *verb, const char *option)
{
	char path[PATH_MAX + NAME_MAX];
	const char *argv[] = {"popstore", "-c", d->file, verb, option, NULL};
	struct child c = {.path = path, .argv = argv, .quiet = true};

	program_path(d, "popstore", path);
	start(d, &c);
}

static void send_signal(pid_t pid, int sig)
{
	if (sig == SIGKILL)
		log_event(LOG_LV_ERROR, "dispatch.killed", kv_u("pid", (uint64_t)pid));
	/* It may have ended meanwhile, but nobody has waited for it, so the number
	 * is still its own. */
	kill(pid, sig);
}

static void reap(struct dispatcher *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct supervisor_end end =
			supervisor_ended(d->supervisor, pid, status, clock_ms());

		log_end(&end, pid, status);
	}
}

static void hear(struct dispatcher *d)
{
	struct notice n;

	while (notice_receive(d->notices, &n)) {
		if (n.status.n > 0)
			supervisor_told(d->supervisor, n.from, n.status);
		if (n.ready && supervisor_ready(d->supervisor, n.from))
			log_event(LOG_LV_DEBUG, "dispatch.worker.ready",
				  kv_u("pid", (uint64_t)n.from));
	}
}

/* ---- configuration ----------------------------------------------------------------- */

static int configure(struct dispatcher *d, const struct settings *set, struct err *e)
{
	unsigned workers[SERVICE_COUNT], all = 0;

	for (size_t i = 0; i < SERVICE_COUNT; i++)
		all += workers[i] = service_workers(&services[i], set);
	if (all == 0)
		return err_set(e, ERR_PERM, "5.3.5",
			       "%s: no service has an address to listen on", d->file);
	if (sockets_configure(&d->sockets, set, e) < 0)
		return -1;
	supervisor_configure(d->supervisor, workers);
	return 0;
}

static void tell_reloading(const struct dispatcher *d)
{
	char text[64];

	if (!d->was_ready)
		return; /* what is starting cannot be reloading */
	/* sd_notify(3) wants the time, to tell this reload from the last one. */
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)clock_ms() * 1000);
	server_notify(text);
}

/* reload - the new file takes effect whole or not at all */
static void reload(struct dispatcher *d)
{
	struct settings *set = NULL;
	struct err e;

	tell_reloading(d);
	if (settings_read(d->file, &set, &e) < 0 || configure(d, set, &e) < 0) {
		log_event(LOG_LV_ERROR, "dispatch.reload.refused", kv_err(&e));
		if (d->was_ready)
			server_notify("READY=1");
	} else {
		settings_log(set, "popstored");
		log_event(LOG_LV_INFO, "dispatch.reload", kv_s("file", d->file));
	}
	settings_free(&set);
}

/* ---- the loop ------------------------------------------------------------------------ */

static void stop(struct dispatcher *d)
{
	server_notify("STOPPING=1");
	log_event(LOG_LV_INFO, "dispatch.stopping", kv_u("pid", (uint64_t)getpid()));
	channels_stop(&d->channels);
	supervisor_stop(d->supervisor);
}

static void take_signals(struct dispatcher *d)
{
	struct signalfd_siginfo info;

	while (read(d->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(d);
		else if (info.ssi_signo == SIGHUP)
			reload(d);
		else
			stop(d);
	}
}

static void wait_for_events(struct dispatcher *d, uint64_t at_ms)
{
	struct pollfd p[] = {{.fd = d->signals, .events = POLLIN},
			     {.fd = d->notices, .events = POLLIN}};
	int timeout = -1;

	if (at_ms != 0) {
		uint64_t now = clock_ms();
		uint64_t left = at_ms > now ? at_ms - now : 0;

		timeout = left < INT_MAX ? (int)left : INT_MAX;
	}
	must(poll(p, countof(p), timeout) >= 0 || errno == EINTR);
	hear(d); /* before the signals: a child that was ready and is gone was ready */
	take_signals(d);
}

/* note - what `popstore status` will say; without it, all else goes on, and it is tried
 * again whenever something happens */
static void note(struct dispatcher *d)
{
	struct err e;

	if ((d->roster != NULL || roster_open(d->root, &d->roster, &e) == 0) &&
	    roster_write(d->roster, d->supervisor, &e) == 0) {
		d->roster_told = false;
		return;
	}
	if (!d->roster_told)
		log_event(LOG_LV_WARN, "dispatch.roster.failed", kv_err(&e));
	d->roster_told = true;
	roster_close(&d->roster);
}

static int loop(struct dispatcher *d)
{
	for (;;) {
		struct supervisor_want want = supervisor_next(d->supervisor, clock_ms());

		switch (want.wish) {
		case WISH_WAIT:
			note(d);
			wait_for_events(d, want.at_ms);
			break;
		case WISH_START:
			start_service(d, want.service);
			break;
		case WISH_RUN:
			run_job(d, want.verb, want.option);
			break;
		case WISH_SIGNAL:
			send_signal(want.pid, want.signal);
			break;
		case WISH_READY:
			note(d); /* who waits for that line may ask at once */
			say_ready(d);
			break;
		case WISH_EXIT:
			return want.status;
		}
	}
}

static int prepare(struct dispatcher *d, const struct settings *set, struct err *e)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

	d->signals = server_signals(signals, countof(signals), e);
	if (d->signals < 0 || notice_open(d->notify, &d->notices, e) < 0 ||
	    channels_open(&d->channels, e) < 0 || configure(d, set, e) < 0)
		return -1;
	d->root = xstrdup(set->store.root);
	return role_enter(ROLE_DISPATCHER, set, e);
}

int dispatcher_run(const char *file, const char *bin, struct settings *owned_set,
		   struct err *e)
{
	struct dispatcher d = {.file = file,
			       .bin = bin,
			       .supervisor = supervisor_new(),
			       .signals = -1,
			       .notices = -1};

	sockets_init(&d.sockets);

	int rc = prepare(&d, owned_set, e);

	settings_free(&owned_set);
	if (rc == 0)
		rc = loop(&d);
	roster_close(&d.roster);
	xfree(&d.root);
	channels_close(&d.channels);
	sockets_fini(&d.sockets);
	if (d.signals >= 0)
		close(d.signals);
	if (d.notices >= 0)
		close(d.notices);
	supervisor_free(&d.supervisor);
	return rc;
}
