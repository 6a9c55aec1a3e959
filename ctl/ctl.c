/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/print.h"
#include "lib/program.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

bool ctl_has(const struct ctl *c, enum option x)
{
	return options_has(&c->options, x);
}

const char *ctl_value(const struct ctl *c, enum option x)
{
	return c->options.value[x];
}

struct str ctl_operand(const struct ctl *c, size_t i)
{
	must(i < c->options.n);
	return str_of(c->options.operands[i]);
}

int ctl_usage_error(struct err *e, const char *fmt, ...)
{
	char text[sizeof e->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_set(e, ERR_PERM, "5.5.4", "%s", text);
}

void ctl_complain(struct ctl *c, const struct err *e)
{
	progress_hide(&c->progress);
	fputs("popstore: ", stderr);
	if (c->verb != NULL)
		fprintf(stderr, "%s: ", c->verb->name);
	print_visible_to(stderr, str_of(e->text));
	fputc('\n', stderr);
	if (c->status == EX_OK)
		c->status = err_exit_status(e);
}

void ctl_done(struct ctl *c, struct str name, const char *done)
{
	progress_hide(&c->progress);
	if (ctl_has(c, OPT_JSON)) {
		print_json(print_json_done(name, done), stdout);
		return;
	}
	print_visible_to(stdout, name);
	printf(": %s\n", done);
}

int ctl_confirm(const struct ctl *c, const char *question, struct err *e)
{
	char answer[16] = "";

	if (ctl_has(c, OPT_YES))
		return 0;
	if (!isatty(STDIN_FILENO))
		return ctl_usage_error(e, "%s Nobody is there to ask: say --yes",
				       question);
	fprintf(stderr, "%s [y/N] ", question);
	if (fgets(answer, sizeof answer, stdin) != NULL && ascii_lower(answer[0]) == 'y')
		return 0;
	return err_set(e, ERR_PERM, "5.7.0", "nothing was changed");
}

/* ---- what a verb needs -------------------------------------------------------------- */

/* become_owner - root working on another user's store becomes that user: what it
 * makes would be unreadable for the services otherwise */
static int become_owner(const struct settings *set, struct err *e)
{
	struct stat st;

	if (geteuid() != 0 || stat(set->store.root, &st) < 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setgid(st.st_gid) < 0 || setuid(st.st_uid) < 0)
		return err_sys(e, "become user %u, the owner of %s", (unsigned)st.st_uid,
			       set->store.root);
	return 0;
}

static int open_from(struct ctl *c, struct err *e)
{
	const char *from = ctl_value(c, OPT_FROM);

	if (from == NULL)
		return 0;
	c->from = strcmp(from, "-") == 0 ? dup(STDIN_FILENO)
					 : open(from, O_RDONLY | O_CLOEXEC);
	if (c->from >= 0)
		return 0;
	err_sys(e, "open %s", from);
	if (e->sys == ENOENT)
		c->status = EX_NOINPUT;
	return -1;
}

int ctl_read_settings(struct ctl *c, struct err *e)
{
	if (settings_read(c->file, &c->settings, e) == 0)
		return 0;
	c->status = e->sys == EACCES || e->sys == EPERM ? EX_NOPERM : EX_CONFIG;
	return -1;
}

static int prepare(struct ctl *c, struct err *e)
{
	if (c->verb->needs == NEEDS_NOTHING)
		return 0;
	if (ctl_read_settings(c, e) < 0)
		return -1;
	if (open_from(c, e) < 0)
		return -1;
	/* Only root sees what another user's process has open. */
	if (!ctl_has(c, OPT_PRIVILEGES) && become_owner(c->settings, e) < 0)
		return -1;
	if (c->verb->needs == NEEDS_STORE)
		return store_open(c->settings, &c->store, e);
	return 0;
}

static void release(struct ctl *c)
{
	progress_end(&c->progress);
	store_close(&c->store);
	settings_free(&c->settings);
	options_fini(&c->options);
	if (c->from >= 0)
		close(c->from);
}

static int count_operands(const struct ctl *c, struct err *e)
{
	if (c->options.n < c->verb->min || c->options.n > c->verb->max)
		return ctl_usage_error(e, "%s: see 'popstore help %s'",
				       c->options.n < c->verb->min
					       ? "something is missing"
					       : "too many words",
				       c->verb->name);
	return 0;
}

static int run(struct ctl *c, char *const *words, size_t n, struct err *e)
{
	if (options_parse(words, n, c->verb->options, &c->options, e) < 0)
		return -1;
	if (c->json && !(c->verb->options & OPT(JSON)))
		return ctl_usage_error(e, "%s does not belong to this verb",
				       option_usage(OPT_JSON));
	if (c->json)
		c->options.value[OPT_JSON] = "";
	if (ctl_has(c, OPT_HELP)) {
		help_verb(c->verb);
		return 0;
	}
	if (count_operands(c, e) < 0 || prepare(c, e) < 0)
		return -1;
	return c->verb->run(c, e);
}

/* finish - what was printed must have arrived: a full disk under a pipe's end is
 * no success */
static int finish(struct ctl *c)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return c->status;

	struct err e;

	err_sys(&e, "write standard output");
	ctl_complain(c, &e);
	return EX_IOERR;
}

/* global - what may stand before the verb; returns where it ends, or -1 */
static int global(int argc, char **argv, struct ctl *c, struct err *e)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			c->file = argv[++i];
		else if (strcmp(argv[i], option_usage(OPT_JSON)) == 0)
			c->json = true;
		else if (strcmp(argv[i], "--help") == 0 ||
			 strcmp(argv[i], "--version") == 0)
			return i;
		else
			return ctl_usage_error(
				e,
				"'%s' before the verb: only -c FILE, --json, "
				"--help and --version may stand there",
				argv[i]);
	}
	return i;
}

static const struct verb *find_verb(char *const *words, size_t n, size_t *used,
				    struct err *e)
{
	const struct verb *v = verb_find(words, n, used);

	if (v != NULL)
		return v;
	if (n == 0)
		ctl_usage_error(e, "which verb? 'popstore help' lists them");
	else if (strcmp(words[0], "domain") == 0)
		ctl_usage_error(e, "domain what? add, modify, delete or list");
	else if (strcmp(words[0], "sieve") == 0)
		ctl_usage_error(e, "sieve what? check, run or test");
	else
		ctl_usage_error(e, "there is no verb '%s': 'popstore help' lists them",
				words[0]);
	return NULL;
}

int ctl_run(int argc, char **argv)
{
	struct ctl c = {.file = SETTINGS_FILE, .from = -1, .progress = {.fd = -1}};
	struct err e = {0};
	size_t used = 0;
	int at;

	program_signals();
	at = global(argc, argv, &c, &e);

	if (at > 0 && at < argc && argv[at][0] == '-') {
		if (strcmp(argv[at], "--version") == 0)
			printf("popstore %s\n", POPSTORE_VERSION);
		else
			help_all();
		return finish(&c);
	}
	if (at > 0)
		c.verb = find_verb(argv + at, (size_t)(argc - at), &used, &e);
	if (c.verb == NULL ||
	    run(&c, argv + at + used, (size_t)(argc - at) - used, &e) < 0)
		ctl_complain(&c, &e);
	release(&c);
	return finish(&c);
}
