/* SPDX-License-Identifier: ISC */
/*
 * define - the records of which the language is made
 *
 * A command, a test, a tag, a comparator, a match type is a record; an extension is a file
 * ext_<name>.c with its records and a row in registry.c.  Parser, checker and evaluator
 * know no command by name.
 *
 * A record's check, where it has one, runs when the node's arguments have their slots; it
 * may add errors and leave what it prepared in node->data.
 */
#ifndef DEFINE_INT_H
#define DEFINE_INT_H

#include "sieve/check_int.h"
#include "sieve/run_int.h"

/* Tags that belong together: a definition says which families it takes. */
enum family {
	TAKES_MATCH = 1 << 0,  /* comparator and match type; needs SLOT_KEYS */
	TAKES_PART = 1 << 1,   /* of an address */
	TAKES_FILING = 1 << 2, /* fileinto */
	TAKES_FLAGS = 1 << 3,  /* fileinto, keep */
	TAKES_COPY = 1 << 4,   /* fileinto, redirect */
	TAKES_REDIRECT = 1 << 5,
	TAKES_INDEX = 1 << 6,
	TAKES_MIME = 1 << 7,     /* header, address */
	TAKES_ANYCHILD = 1 << 8, /* those and exists */
	TAKES_FCC = 1 << 9,
	TAKES_SET = 1 << 10,
	TAKES_VACATION = 1 << 11,
	TAKES_SPAMTEST = 1 << 12,
};

struct param {
	enum value_kind
		kind; /* VALUE_NONE ends the list; VALUE_LIST takes a string too */
	enum slot slot;
	bool fixed;    /* no variables in it */
	bool optional; /* only the first or the last of several may be */
};

struct tag {
	const char *name;
	unsigned on; /* families; 0 in a definition's own list */
	enum slot slot;
	enum value_kind value;
	const void *is;
	bool fixed; /* no variables in the value */
	bool (*check)(struct checker *c, struct node *n, const struct arg *a);
};

enum definition_kind { COMMAND, TEST };

enum takes_tests { TESTS_NONE, TESTS_ONE, TESTS_LIST };

struct definition {
	const char *name;
	enum definition_kind kind;
	unsigned takes; /* families */
	struct param params[4];
	const struct tag *tags; /* its own */
	size_t n_tags;
	enum takes_tests tests;
	enum truth stops; /* a test known to be so hides those behind it (anyof, allof) */
	bool block;
	/* False: it can never run (behind an "if true"), and is not looked at. */
	bool (*reaches)(struct checker *c, const struct node *n);
	bool (*check)(struct checker *c, struct node *n); /* false: an error was added */
	enum flow (*run)(struct run *r, const struct node *n);
	bool (*test)(struct run *r, const struct node *n);
	/* Known before it runs: what the checker may skip (ihave, true, not ...). */
	enum truth (*truth)(struct checker *c, const struct node *n);
};

struct extension {
	const char *name; /* NULL: the base language, which nobody requires */
	bool always;      /* need not be required */
	bool test;        /* for the testsuite alone */
	const struct definition *definitions;
	size_t n_definitions;
	const struct tag *tags;
	size_t n_tags;
	const struct comparator *comparator;
	const struct extension *implies;
};

/* ---- registry.c --------------------------------------------------------------------------- */

size_t registry_count(void);
const struct extension *registry_at(size_t i);
/* -1: there is none of that name, or the site has it off. */
int registry_find(const struct sieve_site *site, struct str name);
int registry_index(const struct extension *x);
bool registry_on(const struct sieve_site *site, const struct extension *x);

#endif
