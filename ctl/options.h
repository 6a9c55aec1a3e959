/* SPDX-License-Identifier: ISC */
/*
 * options - the words after a verb: switches and operands
 *
 * All switches of the utility stand in one table (options.c); a verb's row says
 * which of them it takes.  "--name value" and "--name=value" are the same, "--"
 * ends the switches, and "-" is an operand.  No abbreviations: a script written
 * today must not change its meaning when a switch is added.
 *
 * Owns:    the list of operands, not the words: those are argv's.
 * Tests:   t/unit/ctl/options.c
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "lib/err.h"

enum option {
	OPT_JSON,
	OPT_HELP,
	OPT_YES,
	OPT_PASSWORD_STDIN,
	OPT_HASH_STDIN,
	OPT_QUOTA,
	OPT_OVERDRAFT,
	OPT_FLAGS,
	OPT_OWNER,
	OPT_GROUP,
	OPT_FROM,
	OPT_HASHES,
	OPT_ALIAS,
	OPT_DELIMITERS,
	OPT_RECOVERABLE,
	OPT_SIZE,
	OPT_REPAIR,
	OPT_RELEASE_UNOWNED,
	OPT_QUICK,
	OPT_RESUME,
	OPT_RATE,
	OPT_FORWARDINGS,
	OPT_CHANGED,
	OPT_MDOC,
	OPT_PRIVILEGES,
	OPT_SENDER,
	OPT_RECIPIENT,
	OPT_COUNT
};
#define OPT(name) (1u << OPT_##name)

struct options {
	const char *value[OPT_COUNT]; /* NULL: not given; "" for a switch without value */
	char **operands;
	size_t n;
};

/* `allowed` has bits of OPT(); --help is allowed everywhere.  ERR_PERM 5.5.4
 * says what is wrong. */
int options_parse(char *const *words, size_t n, unsigned allowed, struct options *out,
		  struct err *e);
void options_fini(struct options *o);

static inline bool options_has(const struct options *o, enum option x)
{
	return o->value[x] != NULL;
}

/* For the help: the switch as typed, with its value's name, and a sentence. */
const char *option_usage(enum option x);
const char *option_help(enum option x);

#endif
