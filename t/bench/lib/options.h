/* SPDX-License-Identifier: ISC */
/*
 * options - what a program under t/bench is told: name=value
 *
 * Tables of rows; the last of a table has no name.  A value that does not fit ends the
 * program with the list of all options and EX_USAGE.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
	OPTION_TEXT,   /* const char *: borrowed from argv */
	OPTION_NUMBER, /* uint64_t: 100, or with K, M, G (1024 based) */
	OPTION_YES,    /* bool: yes or no */
};

struct option_row {
	const char *name;
	enum option_kind kind;
	void *to; /* holds the default before */
	const char *help;
};

/* At most two tables, the program's own and that of lib/load; either may be NULL. */
void options_read(int argc, char **argv, const struct option_row *own,
		  const struct option_row *common);

#endif
