/* SPDX-License-Identifier: ISC */
#include "ctl/password.h"

#include "auth/secret.h"
#include "ctl/ctl.h"
#include "ctl/input.h"

#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* One line of `fd`; *end when there was none. */
static int first_line(int fd, struct buf *out, bool *end, struct err *e)
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
		return err_set(e, ERR_PERM, "5.7.0",
			       "the password is longer than %d octets", PASSWORD_MAX);
	return r == INPUT_FAILED ? -1 : 0;
}

/* ---- the prompt ---------------------------------------------------------------------- */

static const int fatal[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
static volatile sig_atomic_t caught;

static void catch (int number)
{
	caught = number;
}

/* type_silently - a signal that would end the program while the terminal does not
 * echo ends the reading instead, and is raised again afterwards */
static int type_silently(const char *prompt, struct buf *out, bool *end, struct err *e)
{
	struct sigaction old[countof(fatal)], act = {.sa_handler = catch};
	struct termios echo, silent;

	if (tcgetattr(STDIN_FILENO, &echo) < 0)
		return err_sys(e, "ask the terminal");
	caught = 0;
	for (size_t i = 0; i < countof(fatal); i++)
		sigaction(fatal[i], &act, &old[i]);
	silent = echo;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	/* The prompt comes last: what is typed after it is neither echoed nor dropped. */
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	fputs(prompt, stderr);

	int rc = first_line(STDIN_FILENO, out, end, e);

	tcsetattr(STDIN_FILENO, TCSAFLUSH, &echo);
	fputc('\n', stderr);
	for (size_t i = 0; i < countof(fatal); i++)
		sigaction(fatal[i], &old[i], NULL);
	if (caught)
		raise(caught);
	return rc;
}

static int ask_twice(struct buf *out, struct err *e)
{
	struct buf again;
	bool end, end_again;

	buf_init_secret(&again, PASSWORD_MAX);

	int rc = type_silently("Password: ", out, &end, e);

	if (rc == 0 && out->n > 0)
		rc = type_silently("The same again: ", &again, &end_again, e);
	if (rc == 0 && !str_eq(buf_str(out), buf_str(&again)))
		rc = err_set(e, ERR_PERM, "5.7.0", "the two passwords differ");
	buf_fini_secret(&again);
	return rc;
}

int password_get(const struct ctl *c, struct buf *out, struct err *e)
{
	bool end;

	buf_init_secret(out, PASSWORD_MAX);
	if (!ctl_has(c, OPT_PASSWORD_STDIN))
		return isatty(STDIN_FILENO) ? ask_twice(out, e) : 0;
	if (first_line(STDIN_FILENO, out, &end, e) < 0)
		return -1;
	if (end)
		return err_set(e, ERR_PERM, "5.7.0",
			       "--password-stdin: there was no line to read");
	return 0;
}
