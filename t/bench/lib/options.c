/* SPDX-License-Identifier: ISC */
#include "t/bench/lib/options.h"

#include "lib/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void print_rows(const struct option_row *rows)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		fprintf(stderr, "  %-14s %s\n", rows->name, rows->help);
}

static bool take(const struct option_row *row, struct str value)
{
	switch (row->kind) {
	case OPTION_TEXT:
		*(const char **)row->to = value.p;
		return true;
	case OPTION_NUMBER:
		return str_size(value, row->to);
	case OPTION_YES:
		*(bool *)row->to = str_eq(value, STR("yes"));
		return str_eq(value, STR("yes")) || str_eq(value, STR("no"));
	}
	return false;
}

static bool take_from(const struct option_row *rows, struct str name, struct str value)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		if (str_eq(str_of(rows->name), name))
			return take(rows, value);
	return false;
}

void options_read(int argc, char **argv, const struct option_row *own,
		  const struct option_row *common)
{
	for (int i = 1; i < argc; i++) {
		struct str value = str_of(argv[i]);
		struct str name = str_cut(&value, '=');

		if (take_from(own, name, value) || take_from(common, name, value))
			continue;
		fprintf(stderr, "%s: not understood: %s\nOptions, as name=value:\n",
			argv[0], argv[i]);
		print_rows(own);
		print_rows(common);
		exit(EX_USAGE);
	}
}
