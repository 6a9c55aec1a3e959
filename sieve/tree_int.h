/* SPDX-License-Identifier: ISC */
/*
 * tree - a script as the parser leaves it and the checker completes it
 *
 * The parser fills in names, arguments, tests and blocks; the checker gives each node its
 * definition, each argument its slot, each string its variables.  Nothing changes after
 * that.
 *
 * Owns: nothing: all lies in the script's arena.
 */
#ifndef TREE_INT_H
#define TREE_INT_H

#include "sieve/sieve.h"

struct definition;
struct extension;
struct match;

struct place {
	uint32_t line, column;
};

/* A piece of a string: text, or what a variable holds at that time. */
struct piece {
	enum { PIECE_FIXED, PIECE_VARIABLE, PIECE_MATCH } kind;
	struct str fixed;
	uint32_t index; /* of the variable, or of ${1} */
};

struct text {
	struct str fixed; /* all of it, where there are no pieces */
	const struct piece *pieces;
	size_t n;
	struct place at;
};

struct texts {
	struct text *list;
	size_t n;
};

/* What an argument is for.  Two tags with the same slot exclude each other. */
enum slot {
	SLOT_NONE,
	/* positions */
	SLOT_NAMES, /* of fields, of variables */
	SLOT_KEYS,
	SLOT_VALUE,
	SLOT_LIMIT,
	SLOT_ITEM,
	SLOT_FOLDER,
	/* tags */
	SLOT_COMPARATOR,
	SLOT_MATCH,
	SLOT_PART,
	SLOT_OVER,
	SLOT_COPY,
	SLOT_CREATE,
	SLOT_FLAGS,
	SLOT_SPECIAL_USE,
	SLOT_FCC,
	SLOT_CASE,
	SLOT_FIRST_CASE,
	SLOT_QUOTE,
	SLOT_LENGTH,
	SLOT_ENCODE,
	SLOT_INDEX,
	SLOT_LAST,
	SLOT_ZONE,
	SLOT_BODY,
	SLOT_TIME,
	SLOT_SUBJECT,
	SLOT_FROM,
	SLOT_ADDRESSES,
	SLOT_MIME,
	SLOT_ANYCHILD,
	SLOT_MIME_OPTION,
	SLOT_HANDLE,
	SLOT_ID,
	SLOT_LOCATION,
	SLOT_ONCE,
	SLOT_OPTIONAL,
	SLOT_IMPORTANCE,
	SLOT_OPTIONS,
	SLOT_MESSAGE,
	SLOT_LIST,
	SLOT_PERCENT,
	SLOT_DSN_NOTIFY,
	SLOT_DSN_RET,
	SLOT_BY_TIME,
	SLOT_BY_MODE,
	SLOT_BY_TRACE,
	SLOT_COUNT
};

enum value_kind { VALUE_NONE, VALUE_NUMBER, VALUE_STRING, VALUE_LIST };

struct arg {
	struct str tag; /* "" at a position */
	enum value_kind kind;
	enum slot slot;
	const void *is; /* what a tag stands for */
	uint64_t number;
	struct texts texts;
	struct place at;
};

struct node {
	struct str name;
	struct place at;
	struct arg *args;
	size_t n_args;
	struct node *tests;
	size_t n_tests;
	bool list; /* the tests stand in parentheses */
	struct node *block;
	size_t n_block;
	bool has_block;
	/* by the checker */
	const struct definition *definition; /* NULL: never to be run */
	const struct match *match;
	const void *data; /* what the definition's check made */
};

/* What is in a slot, or NULL. */
const struct arg *node_arg(const struct node *n, enum slot slot);
bool node_has(const struct node *n, enum slot slot);

#endif
