/* SPDX-License-Identifier: ISC */
/*
 * program - the command line that every service has
 *
 *   NAME [-c FILE]     NAME -h | --help | --version
 *
 * Tests: t/unit/lib/program.c
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "lib/base.h"

/* The configuration file to read.  False when there is nothing to run: leave with
 * *status, the answer has been printed. */
bool program_arguments(const char *name, int argc, char **argv, const char **file,
		       int *status) MUST_USE;

#endif
