/* SPDX-License-Identifier: ISC */
/*
 * checking - what check and scrub have in common for who sits before them
 *
 * Findings as they come, a bar, an interrupt that ends it where it can go on, and
 * the result.  The first SIGINT, SIGTERM or SIGHUP is a request to stop, the second one
 * kills.
 *
 * Tests: t/box/test_check.py
 */
#ifndef CHECKING_H
#define CHECKING_H

#include "ctl/ctl.h"
#include "store/round.h"

#include <jansson.h>

struct checking {
	struct ctl *c;
	const char *doing; /* "checking" */
	json_t *findings;  /* NULL: they are printed as they come */
	char label[64];    /* of the bar */
	char phase[32];    /* that it is in */
	struct check_result result;
};

void checking_begin(struct checking *ch, struct ctl *c, const char *doing);
/* What they share of the options. */
struct check_options checking_options(struct checking *ch);
/* Prints the result of a run that returned `rc`, sets the exit status, and returns rc. */
int checking_end(struct checking *ch, int rc);

#endif
