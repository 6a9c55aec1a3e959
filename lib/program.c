/* SPDX-License-Identifier: ISC */
#include "lib/program.h"

#include "lib/settings.h"
#include "lib/str.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int usage(const char *name, FILE *to, int status)
{
	fprintf(to, "usage: %s [-c file]\n       %s -h | --help | --version\n", name,
		name);
	return status;
}

void program_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};

	sigaction(SIGCHLD, &sa, NULL);
}

bool program_option(int *argc, char **argv, const char *option)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], option) != 0)
			continue;
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
		(*argc)--;
		return true;
	}
	return false;
}

/* close_inherited - but what is handed down by name (lib/server.h) */
static void close_inherited(void)
{
	uint32_t pid, n = 0;

	if (str_u32(str_of(getenv("LISTEN_PID")), &pid) && pid == (uint32_t)getpid() &&
	    !str_u32(str_of(getenv("LISTEN_FDS")), &n))
		n = 0;
	close_range(STDERR_FILENO + 1 + n, ~0U, 0);
}

bool program_arguments(const char *name, int argc, char **argv, const char **file,
		       int *status)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};

	program_signals();
	close_inherited();
	*file = SETTINGS_FILE;
	*status = EX_OK;
	for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
		if (o == 'c') {
			*file = optarg;
			continue;
		}
		if (o == 'V')
			printf("%s %s\n", name, POPSTORE_VERSION);
		else
			*status = usage(name, o == 'h' ? stdout : stderr,
					o == 'h' ? EX_OK : EX_USAGE);
		return false;
	}
	if (optind == argc)
		return true;
	*status = usage(name, stderr, EX_USAGE);
	return false;
}

static int run(const struct program *p, const char *file, struct err *e)
{
	struct settings *set;
	int rc;

	if (settings_read(file, &set, e) < 0)
		return -1;
	settings_log(set, p->name);
	rc = p->run(set, e);
	settings_free(&set);
	return rc;
}

int program_main(const struct program *p, int argc, char **argv)
{
	const char *file;
	struct err e = {0};
	int status;

	if (!program_arguments(p->name, argc, argv, &file, &status))
		return status;
	if (run(p, file, &e) == 0)
		return EX_OK;
	p->failed(&e);
	return err_exit_status(&e);
}
