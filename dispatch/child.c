/* SPDX-License-Identifier: ISC */
#include "dispatch/child.h"

#include "lib/buf.h"
#include "lib/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

enum { FIRST_FD = 3, ENV_MAX = 4096 };

static void set_number(const char *name, unsigned n)
{
	char text[16];

	snprintf(text, sizeof text, "%u", n);
	setenv(name, text, 1);
}

/* hand_over - puts the sockets at 3, 4, ...
 *
 * They may stand there already in another order, so they are first moved out of
 * the way.  What is left open closes by itself at exec. */
static bool hand_over(const struct child *c)
{
	struct buf names;
	int high[CHILD_SOCKETS];
	int clear = FIRST_FD + (int)c->n_sockets;

	buf_init(&names, ENV_MAX);
	for (size_t i = 0; i < c->n_sockets; i++) {
		high[i] = fcntl(c->sockets[i]->fd, F_DUPFD_CLOEXEC, clear);
		if (high[i] < 0)
			return false;
		buf_printf(&names, "%s%s", i ? ":" : "", c->sockets[i]->section);
	}
	for (size_t i = 0; i < c->n_sockets; i++)
		if (dup2(high[i], FIRST_FD + (int)i) < 0)
			return false;
	set_number("LISTEN_PID", (unsigned)getpid());
	set_number("LISTEN_FDS", (unsigned)c->n_sockets);
	setenv("LISTEN_FDNAMES", buf_cstr(&names), 1);
	return !buf_over(&names);
}

static void reset_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigaction(SIGPIPE, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool prepare(const struct child *c, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return false;
	if (getppid() != parent) /* it was gone before we asked */
		_exit(EX_TEMPFAIL);
	setpgid(0, 0);
	/* What popstored may need to bind a low port is not theirs. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (c->n_sockets > 0 && !hand_over(c))
		return false;
	if (c->quiet) {
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			return false;
	}
	if (c->notify != NULL)
		setenv("NOTIFY_SOCKET", c->notify, 1);
	else
		unsetenv("NOTIFY_SOCKET");
	reset_signals();
	return true;
}

static NORETURN void become(const struct child *c, pid_t parent)
{
	struct err e;

	/* execv(3) takes strings that it could write to, and does not. */
	if (prepare(c, parent))
		execv(c->path, (char *const *)(uintptr_t)c->argv);
	err_sys(&e, "start %s", c->path);
	log_reopen();
	log_event(LOG_LV_ERROR, "dispatch.exec.failed", kv_err(&e));
	_exit(EX_OSFILE);
}

int child_start(const struct child *c, pid_t *pid, struct err *e)
{
	pid_t parent = getpid();

	*pid = fork();
	if (*pid < 0)
		return err_sys(e, "fork");
	if (*pid == 0)
		become(c, parent);
	return 0;
}
