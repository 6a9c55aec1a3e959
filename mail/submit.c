/* SPDX-License-Identifier: ISC */
#include "mail/submit.h"

#include "lib/buf.h"
#include "mail/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { SAID_OCTETS = 200 };

/* ---- what goes in ------------------------------------------------------------- */

bool submit_has(const char *option)
{
	return option != NULL && option[0] != '\0';
}

/* is_option - letters and commas: no option of the program's can come of it */
static bool is_option(const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		if (*s != ',' && !(ascii_lower(*s) >= 'a' && ascii_lower(*s) <= 'z'))
			return false;
	return true;
}

int submit_check(const struct submit *s, struct err *e)
{
	must(s->n_rcpt > 0);
	if (s->timeout_ms == 0)
		return err_set(e, ERR_TEMP, "4.4.5", "no time left for %s", s->program);
	if (s->n_rcpt > SUBMIT_RECIPIENTS)
		return err_set(e, ERR_PERM, "5.5.3", "%zu recipients are too many",
			       s->n_rcpt);
	if (str_has_control(str_of(s->sender)))
		return err_set(e, ERR_PERM, "5.1.7", "sender has a control character");
	if (!is_option(s->notify) || !is_option(s->ret))
		return err_set(e, ERR_PERM, "5.5.4", "there is no such NOTIFY or RET");
	for (size_t i = 0; i < s->n_rcpt; i++)
		if (s->rcpt[i][0] == '\0' || str_has_control(str_of(s->rcpt[i])))
			return err_set(
				e, ERR_PERM, "5.1.3",
				"recipient %zu is empty or has a control character", i);
	return 0;
}

static int write_all(void *ctx, struct str s, struct err *e)
{
	int fd = *(const int *)ctx;

	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write file for sendmail");
		s = (struct str){s.p + n, s.n - (size_t)n};
	}
	return 0;
}

int submit_open(struct err *e)
{
	int fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "make a file in %s for sendmail", P_tmpdir) : fd;
}

/* message_file - the whole message in a file that nobody else can see */
static int message_file(const struct submit *s, int *out, struct err *e)
{
	int fd = submit_open(e);

	if (fd < 0)
		return -1;
	if (plain_copy(&(struct plain_copy){s->read, s->ctx, write_all, &fd}, e) < 0) {
		close(fd);
		return -1;
	}
	if (lseek(fd, 0, SEEK_SET) < 0) {
		err_sys(e, "rewind file for sendmail");
		close(fd);
		return -1;
	}
	*out = fd;
	return 0;
}

/* ---- running it ----------------------------------------------------------------- */

/* spawn_failed - posix_spawn(3) and its kin return the reason */
static int spawn_failed(const struct submit *s, int why, struct err *e)
{
	errno = why;
	return err_sys(e, "start %s", s->program);
}

static int spawn_files(posix_spawn_file_actions_t *f, int in, int out)
{
	int rc = posix_spawn_file_actions_adddup2(f, in, 0);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(f, out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(f, out, 2);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(f, 3);
	return rc;
}

static int spawn_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;
	int rc = posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP |
						     POSIX_SPAWN_SETSIGMASK |
						     POSIX_SPAWN_SETSIGDEF);

	sigemptyset(&none);
	sigfillset(&all);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(a, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(a, &all);
	return rc;
}

static int spawn(const struct submit *s, char **argv, int in, int out, pid_t *pid,
		 struct err *e)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
			     "/sbin:/bin";
	static char locale[] = "LC_ALL=C.UTF-8";
	static char *const environment[] = {path, locale, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int rc;

	must(posix_spawn_file_actions_init(&files) == 0);
	must(posix_spawnattr_init(&attributes) == 0);
	rc = spawn_files(&files, in, out);
	if (rc == 0)
		rc = spawn_attributes(&attributes);
	if (rc == 0)
		rc = posix_spawn(pid, s->program, &files, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return rc == 0 ? 0 : spawn_failed(s, rc, e);
}

/* wait_for - until the program ends; one that takes too long is killed */
static int wait_for(const struct submit *s, pid_t pid, int *status, struct err *e)
{
	int fd = pidfd_open(pid, 0);
	int ready = -1;

	if (fd >= 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		do
			ready = poll(&p, 1, (int)s->timeout_ms);
		while (ready < 0 && errno == EINTR);
		close(fd);
	}
	if (ready <= 0)
		kill(-pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0)
		must(errno == EINTR);
	if (ready <= 0)
		return err_set(e, ERR_TEMP, "4.4.5", "%s took longer than %u s",
			       s->program, s->timeout_ms / 1000);
	return 0;
}

static int run(const struct submit *s, char **argv, int in, struct err *e)
{
	char said[SAID_OCTETS];
	int status = 0;
	pid_t pid;

	/* No pipe: one that nobody empties stops a talkative program, and a grandchild
	 * may hold its other end for long. */
	int out = memfd_create("sendmail-output", MFD_CLOEXEC);

	if (out < 0)
		return err_sys(e, "make room for what sendmail says");

	int rc = spawn(s, argv, in, out, &pid, e);

	if (rc == 0)
		rc = wait_for(s, pid, &status, e);
	if (rc == 0) {
		ssize_t n = pread(out, said, sizeof said, 0);

		rc = submit_status(status, (struct str){said, n > 0 ? (size_t)n : 0}, e);
	}
	close(out);
	return rc;
}

int submit_file(const struct submit *s, int in, struct err *e)
{
	enum { FIXED = 9 };
	const char **argv;
	size_t n = 0;
	int rc;

	if (submit_check(s, e) < 0)
		return -1;
	argv = xalloc((FIXED + s->n_rcpt + 1) * sizeof *argv);
	argv[n++] = s->program;
	argv[n++] = "-i";
	argv[n++] = "-f";
	argv[n++] = s->sender[0] != '\0' ? s->sender : "<>";
	if (submit_has(s->notify)) {
		argv[n++] = "-N";
		argv[n++] = s->notify;
	}
	if (submit_has(s->ret)) {
		argv[n++] = "-R";
		argv[n++] = s->ret;
	}
	argv[n++] = "--";
	must(n <= FIXED);
	for (size_t i = 0; i < s->n_rcpt; i++)
		argv[n++] = s->rcpt[i];
	/* posix_spawn() does not write there, but has no const. */
	rc = run(s, (char **)(uintptr_t)argv, in, e);
	xfree(&argv);
	return rc;
}

int submit_run(const struct submit *s, struct err *e)
{
	int in, rc;

	if (submit_check(s, e) < 0 || message_file(s, &in, e) < 0)
		return -1;
	rc = submit_file(s, in, e);
	close(in);
	return rc;
}

/* ---- what came of it --------------------------------------------------------------- */

static const struct {
	int status;
	enum err_class class;
	const char *dsn, *text;
} statuses[] = {
	{EX_DATAERR, ERR_PERM, "5.6.0", "message not accepted"},
	{EX_NOUSER, ERR_PERM, "5.1.1", "no such user"},
	{EX_NOHOST, ERR_PERM, "5.1.2", "no such host"},
	{EX_NOPERM, ERR_PERM, "5.7.1", "not permitted"},
	{EX_CONFIG, ERR_TEMP, "4.3.5", "configuration error"},
	{EX_TEMPFAIL, ERR_TEMP, "4.3.0", "temporary failure"},
};

int submit_status(int status, struct str said, struct err *e)
{
	struct str line = str_trim(str_cut(&said, '\n'));

	if (WIFSIGNALED(status))
		return err_set(e, ERR_TEMP, "4.3.0",
			       "sendmail: killed by signal %d: " STR_FMT,
			       WTERMSIG(status), STR_ARG(line));
	if (WEXITSTATUS(status) == 0)
		return 0;
	for (size_t i = 0; i < countof(statuses); i++)
		if (statuses[i].status == WEXITSTATUS(status))
			return err_set(e, statuses[i].class, statuses[i].dsn,
				       "sendmail: %s: " STR_FMT, statuses[i].text,
				       STR_ARG(line));
	return err_set(e, ERR_TEMP, "4.3.0", "sendmail: exit status %d: " STR_FMT,
		       WEXITSTATUS(status), STR_ARG(line));
}
