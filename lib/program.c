/* SPDX-License-Identifier: ISC */
#include "lib/program.h"

#include "lib/settings.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

static int usage(const char *name, FILE *to, int status)
{
	fprintf(to, "usage: %s [-c file]\n       %s -h | --help | --version\n", name,
		name);
	return status;
}

bool program_arguments(const char *name, int argc, char **argv, const char **file,
		       int *status)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};

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
