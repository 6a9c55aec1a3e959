/* SPDX-License-Identifier: ISC */
/*
 * script - what a compiled script is made of
 *
 * Owns: its arena, in which all of it lies, and the regular expressions that were compiled
 *       with it.
 */
#ifndef SCRIPT_INT_H
#define SCRIPT_INT_H

#include "sieve/tree_int.h"

struct regex;

struct variable {
	struct str name; /* lower case */
	bool global;     /* one of all scripts */
	bool space;      /* by its name, "global.x"; else by the command `global` */
};

struct sieve_script {
	struct arena arena;
	const struct sieve_site *site;
	char *name;
	unsigned char hash[SIEVE_HASH];
	uint64_t uses; /* extensions, by their index */
	struct node *block;
	size_t n_block;
	struct variable *variables;
	size_t n_variables;
	struct regex **regexes;
	size_t n_regexes;
	struct sieve_errors warnings;
};

/* Adds an error; the text is cut where it is too long. */
void errors_add(struct sieve_errors *e, struct place at, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
