/* SPDX-License-Identifier: ISC */
#include "ctl/password.h"

#include "auth/scheme.h"
#include "ctl/ctl.h"
#include "ctl/input.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* first_line - of `fd`; *end when there was none.  `what` is for the error. */
static int first_line(int fd, struct buf *out, const char *what, bool *end, struct err *e)
{
	struct input in;
	struct str line;

	input_init(&in, fd);

	enum input_result r = input_next(&in, &line, e);

	*end = r == INPUT_END;
	if (r == INPUT_LINE)
		buf_put(out, line);
	input_fini(&in);
	if (r == INPUT_TOO_LONG || buf_over(out))
		return err_set(e, ERR_PERM, "5.7.0", "the %s is longer than %zu octets",
			       what, out->max);
	return r == INPUT_FAILED ? -1 : 0;
}

/* ---- the prompt ---------------------------------------------------------------------- */

/* wait_for_line - or for a signal, which stays pending */
static int wait_for_line(int signals, struct err *e)
{
	struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};

	while (poll(fds, countof(fds), -1) < 0)
		if (errno != EINTR)
			return err_sys(e, "ask the terminal");
	return fds[1].revents ? err_set(e, ERR_TEMP, "4.3.0", "interrupted") : 0;
}

static int ask_silently(const char *prompt, int signals, struct buf *out, struct err *e)
{
	struct termios echo, silent;
	bool end;

	if (tcgetattr(STDIN_FILENO, &echo) < 0)
		return err_sys(e, "ask the terminal");
	silent = echo;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	/* The prompt comes last: what is typed after it is neither echoed nor dropped. */
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	fputs(prompt, stderr);

	int rc = wait_for_line(signals, e);

	if (rc == 0)
		rc = first_line(STDIN_FILENO, out, "password", &end, e);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &echo);
	fputc('\n', stderr);
	return rc;
}

/* ask - a signal that would end the program while the terminal does not echo is kept
 * back until it does again, and then ends it */
static int ask(const char *prompt, struct buf *out, struct err *e)
{
	static const int fatal[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
	sigset_t set, old;
	int rc = -1;

	sigemptyset(&set);
	for (size_t i = 0; i < countof(fatal); i++)
		sigaddset(&set, fatal[i]);
	sigprocmask(SIG_BLOCK, &set, &old);

	int signals = signalfd(-1, &set, SFD_CLOEXEC);

	if (signals < 0)
		err_sys(e, "signalfd");
	else
		rc = ask_silently(prompt, signals, out, e);
	if (signals >= 0)
		close(signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static int ask_twice(struct buf *out, struct err *e)
{
	struct buf again;

	buf_init_secret(&again, PASSWORD_MAX);

	int rc = ask("Password: ", out, e);

	if (rc == 0 && out->n > 0)
		rc = ask("The same again: ", &again, e);
	if (rc == 0 && !str_eq(buf_str(out), buf_str(&again)))
		rc = err_set(e, ERR_PERM, "5.7.0", "the two passwords differ");
	buf_fini_secret(&again);
	return rc;
}

/* ---- what the switches say ----------------------------------------------------------- */

bool password_is_given(const struct ctl *c)
{
	return ctl_has(c, OPT_PASSWORD_STDIN) || ctl_has(c, OPT_HASH_STDIN);
}

static int read_line(const char *option, const char *what, struct buf *out, struct err *e)
{
	bool end;

	if (first_line(STDIN_FILENO, out, what, &end, e) < 0)
		return -1;
	return end ? err_set(e, ERR_PERM, "5.7.0", "%s: there was no line to read",
			     option)
		   : 0;
}

static int prepare_hash(const struct ctl *c, struct secret_prepared *out, struct err *e)
{
	struct buf hash;
	int rc;

	buf_init_secret(&hash, SCHEME_TEXT_MAX);
	rc = read_line("--hash-stdin", "hash", &hash, e);
	if (rc == 0)
		rc = secret_prepare_hash(c->settings, buf_str(&hash), out, e);
	buf_fini_secret(&hash);
	return rc;
}

static int prepare_password(const struct ctl *c, struct secret_prepared *out,
			    struct err *e)
{
	bool given = ctl_has(c, OPT_PASSWORD_STDIN);
	struct buf password;
	int rc = 0;

	buf_init_secret(&password, PASSWORD_MAX);
	if (given)
		rc = read_line("--password-stdin", "password", &password, e);
	else if (isatty(STDIN_FILENO))
		rc = ask_twice(&password, e);
	/* An empty line on standard input is a mistake, at a prompt it is an answer. */
	if (rc == 0 && (password.n > 0 || given))
		rc = secret_prepare(c->settings, buf_str(&password), out, e);
	buf_fini_secret(&password);
	return rc;
}

int password_prepare(const struct ctl *c, struct secret_prepared *out, struct err *e)
{
	*out = (struct secret_prepared){0};
	if (ctl_has(c, OPT_PASSWORD_STDIN) && ctl_has(c, OPT_HASH_STDIN))
		return ctl_usage_error(e, "--password-stdin and --hash-stdin together");
	return ctl_has(c, OPT_HASH_STDIN) ? prepare_hash(c, out, e)
					  : prepare_password(c, out, e);
}
