/* SPDX-License-Identifier: ISC */
/*
 * check - a parsed script against the definitions: names, arguments, extensions
 *
 * Errors do not stop it.  What cannot be reached (a block behind an ihave that is false)
 * is not looked at, and never run.
 *
 * Tests: t/unit/sieve/check.c
 */
#ifndef CHECK_INT_H
#define CHECK_INT_H

#include "sieve/script_int.h"

enum truth { TRUTH_UNKNOWN, TRUTH_TRUE, TRUTH_FALSE };

struct checker {
	struct sieve_script *script;
	const struct sieve_site *site;
	struct sieve_errors *errors;
	uint64_t enabled;          /* extensions, by their index */
	uint64_t used;             /* those whose commands and tests are there */
	struct place required[64]; /* where each of them is; line 0: nowhere */
	bool body;                 /* something else than require has been seen */
	enum truth chain;          /* of the if and elsif before */
	const struct node *up[66]; /* the commands around, outermost first */
	size_t n_up;
	const struct node *last; /* the command before this one in its block */
};

void checker_run(struct sieve_script *script, struct sieve_errors *errors);

/* Adds an error, "name: ..."; returns false. */
bool checker_error(struct checker *c, struct place at, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
bool checker_has(const struct checker *c, const struct extension *x);
/* Turns an extension on; false: there is none of that name here. */
bool checker_enable(struct checker *c, struct str name);
/* The same, in a require. */
bool checker_require(struct checker *c, struct str name, struct place at);
/* What a test is known to be before it runs. */
enum truth checker_truth(struct checker *c, const struct node *test);

/* The number of a variable, which is made when it is new; false: not a name, or too many. */
bool checker_variable(struct checker *c, struct str name, struct place at,
		      uint32_t *index);
bool checker_is_identifier(struct str s);

/* Decodes encoded characters and, unless `fixed`, finds the variables in a string, each
 * where its extension is on. */
bool text_compile(struct checker *c, struct text *t, bool fixed);

/* The string in that slot has no variables in it: its text, or NULL. */
const struct str *checker_fixed(const struct node *n, enum slot slot);

#endif
