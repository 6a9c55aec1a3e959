/* SPDX-License-Identifier: ISC */
/*
 * select - the header fields that a test looks at
 *
 * By name, in the message; with :index the n-th of all of those names; with :mime in the part that
 * foreverypart is at, with :anychild in all below it as well, and :type, :subtype,
 * :contenttype, :param take a piece of the value.
 *
 * Tests: t/sieve/index.svtest  t/sieve/mime.svtest
 */
#ifndef SELECT_INT_H
#define SELECT_INT_H

#include "sieve/run_int.h"

struct mime_part;

struct selection {
	struct run *run;
	const struct node *node;
	struct sieve_strings names;
	size_t name;
	uint64_t index;               /* 0: all of them */
	bool last;                    /* counted from the end */
	const struct mime_part *part; /* NULL: the message, and :mime was not asked for */
	struct field *field;
	/* of :mime :param with several names, and of a value in pieces */
	struct sieve_strings params;
	size_t param;
};

/* What a piece of a MIME field is; SLOT_MIME_OPTION points to one. */
enum mime_option { MIME_TYPE, MIME_SUBTYPE, MIME_CONTENTTYPE, MIME_PARAM };

bool select_check(struct checker *c, struct node *n);

void selection_begin(struct selection *s, struct run *r, const struct node *n);
struct field *selection_field(struct selection *s); /* the next one, or NULL */
/* The next value; false: there are no more. */
bool selection_value(struct selection *s, struct str *value);

bool select_exists(struct run *r, const struct node *n, struct str name);

#endif
