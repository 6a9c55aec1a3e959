/* SPDX-License-Identifier: ISC */
/*
 * tester - what a run of tests has: a message, an envelope, scripts, folders, a queue
 *
 * Owns: all of it; tester_fini() frees it.  Messages and scripts live until then, since
 *       values that a test keeps point into them.
 */
#ifndef TESTER_INT_H
#define TESTER_INT_H

#include "sieve/define_int.h"
#include "sieve/testsuite.h"

struct test_folder {
	struct str name; /* "" is the queue of what was sent */
	struct str *messages;
	size_t n;
};

struct test_pair {
	struct str name, value;
};

struct tester {
	const struct sieve_test_host *host;
	struct arena arena;
	struct sieve_site inner, outer; /* of the scripts under test, and of the test */
	struct sieve_host sieve_host;
	struct sieve_input input;
	struct sieve_message **messages;
	size_t n_messages;
	struct sieve_script **scripts;
	size_t n_scripts;
	const struct sieve_script *script; /* the one compiled last */
	struct test_script {
		struct str name;
		const struct sieve_script *script;
	} * saved;
	size_t n_saved;
	struct sieve_result **results;
	size_t n_results;
	struct sieve_errors errors; /* of the last compilation or run */
	struct test_folder *folders;
	size_t n_folders;
	struct test_pair *metadata;
	size_t n_metadata;
	struct test_pair *lists; /* of extlists: name and member */
	size_t n_lists;
	struct str *remembered;
	size_t n_remembered;
	struct sieve_test_count count;
	struct str failure;
	bool failed;
};

void tester_init(struct tester *t, const struct sieve_test_host *host);
void tester_fini(struct tester *t);

void tester_set_message(struct tester *t, struct run *r, struct str text);
/* "message", "envelope.from" ...; false: there is no such thing. */
bool tester_set(struct tester *t, struct run *r, struct str name, struct str value);
/* tester_config.c: settings by the names that Pigeonhole has for them. */
bool tester_config(struct tester *t, struct str name, struct str value);

const struct sieve_script *tester_compile(struct tester *t, struct str text,
					  struct str name);
const struct sieve_script *tester_read(struct tester *t, struct str name);
/* Runs scripts; the result is added to those that are there. */
bool tester_run(struct tester *t, const struct sieve_script *const *scripts, size_t n);
void tester_reset(struct tester *t);

/* tester_execute.c: carries out all results. */
bool tester_execute(struct tester *t);
struct test_folder *tester_folder(struct tester *t, struct str name, bool create);

#endif
