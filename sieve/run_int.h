/* SPDX-License-Identifier: ISC */
/*
 * run - one evaluation: state of the script, and what commands and tests do to it
 *
 * A failure is sticky: run_fail() keeps the first one, and whoever loops asks
 * run->failed.
 */
#ifndef RUN_INT_H
#define RUN_INT_H

#include "sieve/match_int.h"
#include "sieve/message_int.h"
#include "sieve/script_int.h"

enum flow { FLOW_NEXT, FLOW_STOP, FLOW_RETURN, FLOW_BREAK, FLOW_FAIL };

struct tester;
struct mime_part;

/* A script that is being evaluated; an included one has another below. */
struct frame {
	const struct sieve_script *script;
	struct str *variables;
	struct str captures[GLOB_CAPTURES];
	size_t n_captures;
	struct frame *up;
	uint32_t depth;
};

struct global {
	struct str name, value;
};

struct run {
	const struct sieve_input *in;
	const struct sieve_site *site;
	struct sieve_message *message;
	struct sieve_result *result;
	struct arena *arena; /* the result's */
	struct frame *frame;
	struct place at;        /* of the command that runs */
	struct header *header;  /* of the message as it is now; editheader makes a copy */
	struct mime_part *part; /* of foreverypart; NULL: the message */
	uint32_t loops;         /* how many foreverypart are around */
	struct str loop_name;   /* which one a break leaves; "" is the innermost */
	bool branch;            /* the if or elsif before was true */
	bool cancelled;         /* the implicit keep */
	bool failed;
	bool has_flags;
	struct sieve_strings flags; /* imap4flags: of the script */
	struct global *globals;
	size_t n_globals;
	const struct sieve_script **once; /* included so far */
	size_t n_once;
	uint32_t includes;
	uint32_t redirects;
	struct tester *tester; /* of the testsuite */
};

/* Returns FLOW_FAIL. */
enum flow run_fail(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Counts work; false: the budget is used up. */
bool run_spend(struct run *r, uint64_t steps);
uint64_t run_left(const struct run *r);
enum flow run_block(struct run *r, const struct node *block, size_t n);
bool run_test(struct run *r, const struct node *test);
/* One script, in a frame of its own. */
enum flow run_script(struct run *r, const struct sieve_script *s);

/* ---- arguments ------------------------------------------------------------------------------ */

/* With variables filled in. */
struct str run_text(struct run *r, const struct text *t);
struct str run_string(struct run *r, const struct node *n,
		      enum slot slot); /* "" without */
struct sieve_strings run_strings(struct run *r, const struct node *n, enum slot slot);
struct str *run_variable(struct run *r, uint32_t index);
/* For the value of a field: control octets become blanks, those at the ends go. */
struct str run_one_line(struct run *r, struct str s);
/* The same, with what is no UTF-8 as U+FFFD. */
struct str run_utf8(struct run *r, struct str s);
/* Sets a variable of this script; cut where it is too long. */
void run_set(struct run *r, uint32_t variable, struct str value);

/* A copy of what is in `b`, which is freed. */
struct str run_take(struct run *r, struct buf *b);

/* ---- actions --------------------------------------------------------------------------------- */

/* A new action of that kind at this place; NULL: too many of them, the run has failed. */
struct sieve_action *run_action(struct run *r, enum sieve_action_kind kind);
/* What those may ask for together that they did ask for; fails otherwise. */
void actions_check(struct run *r);

/* ---- the whole of it, for sieve_run() and the testsuite -------------------------------------- */

void run_begin(struct run *r, const struct sieve_site *site,
	       const struct sieve_input *in);
void run_scripts(struct run *r, const struct sieve_script *const *scripts, size_t n);

#endif
