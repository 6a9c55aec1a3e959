/* SPDX-License-Identifier: ISC */
/*
 * testsuite - tests of Sieve that are written in Sieve: extension "vnd.dovecot.testsuite"
 *
 *   require ["vnd.dovecot.testsuite", "fileinto"];
 *   test_set "message" text:
 *   Subject: x
 *
 *   .
 *   ;
 *   test "subject" {
 *       if not header "subject" "x" { test_fail "no"; }
 *   }
 *
 * The script is evaluated by the same engine; commands of the extension set the message and
 * the envelope, compile and run other scripts, look at their actions, and carry them out in
 * folders and a queue that exist for the test alone.  doc/SIEVE.md has the list.
 *
 * Tests: t/unit/sieve/testsuite.c  t/box/test_sieve.py
 */
#ifndef TESTSUITE_H
#define TESTSUITE_H

#include "sieve/sieve.h"

struct sieve_test_host {
	void *ctx;
	/* A script that a test names; false: there is none. */
	bool (*read)(void *ctx, struct str name, struct buf *out);
	/* After each test; `failure` is "" where it passed. */
	void (*report)(void *ctx, struct str name, struct str failure);
	void (*print)(void *ctx, struct str text); /* test_result_print */
};

struct sieve_test_count {
	size_t passed, failed;
};

/* Runs all tests in `text`; -1: it does not compile (*errors), or stopped by a failure
 * outside of a test (*failure). */
int sieve_test(struct str text, const char *name, const struct sieve_test_host *host,
	       struct sieve_test_count *count, struct sieve_errors *errors,
	       struct sieve_failure *failure);

#endif
