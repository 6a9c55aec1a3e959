/* SPDX-License-Identifier: ISC */
/*
 * lexer - a script's text as tokens (RFC 5228 section 8.1)
 *
 * Line ends may be CRLF or LF; within strings each becomes CRLF.  The text has to be UTF-8
 * without NUL.
 *
 * Tests: t/unit/sieve/lexer.c
 */
#ifndef LEXER_INT_H
#define LEXER_INT_H

#include "sieve/script_int.h"

enum token_kind {
	TOKEN_END,
	TOKEN_IDENTIFIER,
	TOKEN_TAG,    /* text is without the colon */
	TOKEN_NUMBER, /* with its unit counted in */
	TOKEN_STRING,
	TOKEN_MARK, /* one of ( ) [ ] { } , ; */
	TOKEN_BAD,  /* an error was added */
};

struct token {
	enum token_kind kind;
	struct place at;
	struct str text;
	uint64_t number;
	char mark;
};

struct lexer {
	struct str rest;
	struct place at;
	struct arena *arena;
	struct sieve_errors *errors;
};

void lexer_init(struct lexer *l, struct str text, struct arena *a,
		struct sieve_errors *e);
void lexer_next(struct lexer *l, struct token *t);

#endif
