/* SPDX-License-Identifier: ISC */
/*
 * popstored - the dispatcher; popstored(8)
 *
 * Everything in this directory, what it uses of lib/, store/record.c and store/role.c may
 * run as root: it reads the configuration, binds and starts programs, writes one file of its own
 * (dispatch/roster.h), and never reads an octet from the network or from the store.
 */
#include "dispatch/dispatcher.h"

#include "lib/program.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "popstored"

/* find_bin - the directory that this program is in; asked at the start, for after
 * an upgrade the kernel calls it deleted */
static int find_bin(char bin[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", bin, PATH_MAX - 1);

	if (n < 0)
		return err_sys(e, "where am I? /proc/self/exe");
	bin[n] = '\0';
	*strrchr(bin, '/') = '\0';
	return 0;
}

static int run(const char *file, struct err *e)
{
	struct settings *set;
	char bin[PATH_MAX];

	if (find_bin(bin, e) < 0 || settings_read(file, &set, e) < 0)
		return -1;
	settings_log(set, PROGRAM);
	return dispatcher_run(file, bin, set, e);
}

int main(int argc, char **argv)
{
	const char *file;
	struct err e = {0};
	int rc;

	if (!program_arguments(PROGRAM, argc, argv, &file, &rc))
		return rc;
	rc = run(file, &e);
	if (rc >= 0)
		return rc;
	/* Whoever started us looks at standard error, wherever the log goes. */
	fprintf(stderr, PROGRAM ": %s\n", e.text);
	return err_exit_status(&e);
}
