/* SPDX-License-Identifier: ISC */
/*
 * parser - tokens as a tree of commands and tests (RFC 5228 section 8.2)
 *
 * Knows the grammar and no command.  After an error it goes on behind the next ";" or "}",
 * so that a script's errors are found in one go.
 *
 * Limits: nesting and list_entries of the site; so the recursion is bounded.
 * Tests:  t/unit/sieve/parser.c  t/fuzz/sieve_parse.c
 */
#ifndef PARSER_INT_H
#define PARSER_INT_H

#include "sieve/script_int.h"

/* Fills in script->block. */
void parser_run(struct sieve_script *script, struct str text,
		struct sieve_errors *errors);

#endif
