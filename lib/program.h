/* SPDX-License-Identifier: ISC */
/*
 * program - what every program begins with: its command line, its signals
 *
 *   NAME [-c FILE]     NAME -h | --help | --version
 *
 * Tests: t/unit/lib/program.c
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "lib/base.h"

struct err;
struct settings;

/* Undoes what is inherited of SIGCHLD: where it is ignored nobody can wait for a process. */
void program_signals(void);

/* Takes `option` ("--login") out of the arguments; true when it was there. */
bool program_option(int *argc, char **argv, const char *option);

/* For services; does the above, too, and closes descriptors that nobody handed down by
 * name.  The configuration file to read.  False when there is nothing to run: leave with
 * *status, the answer has been printed. */
bool program_arguments(const char *name, int argc, char **argv, const char **file,
		       int *status) MUST_USE;

/* A service that lib/server.h runs. */
struct program {
	const char *name;
	/* Serves until it is told to stop: 0; or -1. */
	int (*run)(const struct settings *set, struct err *e);
	/* Logs what kept it from that. */
	void (*failed)(const struct err *e);
};

/* Its main(): the command line, the settings, the log, and the exit status. */
int program_main(const struct program *p, int argc, char **argv);

#endif
