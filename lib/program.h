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

/* Undoes what is inherited of SIGCHLD: where it is ignored nobody can wait for a process. */
void program_signals(void);

/* Takes `option` ("--login") out of the arguments; true when it was there. */
bool program_option(int *argc, char **argv, const char *option);

/* For services; does the above, too, and closes descriptors that nobody handed down by
 * name.  The configuration file to read.  False when there is nothing to run: leave with
 * *status, the answer has been printed. */
bool program_arguments(const char *name, int argc, char **argv, const char **file,
		       int *status) MUST_USE;

#endif
