/* SPDX-License-Identifier: ISC */
/*
 * match - comparators and match types (RFC 5228 section 2.7, RFC 4790)
 *
 * A test with TAKES_MATCH gets a struct match from the checker.  When it runs, it gives
 * each value it looks at to matching_value() until that says that nothing more is needed.
 *
 * Work is counted where it is done (run_spend()), so that no pattern takes more than the
 * script's budget.
 *
 * Tests: t/unit/sieve/match.c  t/sieve/match.svtest
 */
#ifndef MATCH_INT_H
#define MATCH_INT_H

#include "sieve/script_int.h"

struct run;
struct checker;
struct regex;

enum relation { REL_GT, REL_GE, REL_LT, REL_LE, REL_EQ, REL_NE };

struct comparator {
	const char *name; /* "i;octet" */
	bool fold;        /* ASCII letters are the same in both cases */
	bool octets;      /* "?" is one octet, not one character */
	bool numeric;     /* no substrings */
	/* Where it has to be made of characters first; *map gets, for each octet and one
	 * more, its place in `s`.  Lies in the run's arena. */
	struct str (*canonical)(struct run *r, struct str s, uint32_t **map);
};

extern const struct comparator comparator_octet, comparator_ascii_casemap;

struct matching;

struct match_type {
	const char *name;
	bool substring; /* the comparator has to know substrings */
	bool relational;
	bool regex; /* keys are regular expressions, compiled by the checker where they can be */
	/* Does this value match the key of that number? */
	bool (*key)(struct matching *m, struct str value, size_t key);
	bool counts; /* only the number of values matters */
	bool lists;  /* keys are names of lists */
	bool raw; /* wants the value as it is, not in the comparator's canonical form */
};

extern const struct match_type match_is, match_contains, match_matches;
extern const struct match_type match_value, match_count; /* relational */
extern const struct match_type match_regex, match_list;

struct match {
	const struct match_type *type;
	const struct comparator *comparator;
	enum relation relation;
	const struct texts *keys;
	const struct regex **regexes; /* of the keys without variables; or NULL */
	bool captures;                /* variables are on: ${1} is set */
};

struct matching {
	struct run *run;
	const struct match *match;
	struct str *keys;
	uint64_t count;
	bool found;
};

void matching_begin(struct matching *m, struct run *r, const struct match *match);
/* True: done, the answer is known. */
bool matching_value(struct matching *m, struct str value);
bool matching_end(struct matching *m);

/* Gives the node its struct match: by its arguments, with the defaults. */
bool match_prepare(struct checker *c, struct node *n);

/* <0, 0, >0; for i;ascii-numeric what is no number is infinite. */
int comparator_order(struct run *r, const struct comparator *k, struct str a,
		     struct str b);

bool relation_holds(enum relation rel, int order);

/* For tests of the parts. */
enum { GLOB_CAPTURES = 33 };

struct glob {
	const struct comparator *comparator;
	struct str capture[GLOB_CAPTURES]; /* 0 is all of it */
	size_t n;
	uint64_t work;
	uint64_t work_max; /* false is said when that is reached */
};

bool match_glob(struct glob *g, struct str pattern, struct str s);
bool match_find(bool fold, struct str needle, struct str s, size_t *work);

#endif
