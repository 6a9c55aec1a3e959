/* SPDX-License-Identifier: ISC */
/*
 * content - a structured MIME field: "text/plain; charset=utf-8" (RFC 2045, RFC 2231)
 *
 * Comments are skipped, quoted strings unquoted, values in pieces and of other character
 * sets put together (name*0*=utf-8''...).
 *
 * Limits: CONTENT_PARAMS; what follows is passed over.
 * Tests:  t/unit/mail/content.c
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "lib/arena.h"

enum { CONTENT_PARAMS = 100 };

struct content_param {
	struct str name; /* lower case; with RFC 2231's marks, as "name*0*" */
	struct str value;
};

struct content {
	struct str value; /* before the first ";", lower case, without blanks */
	struct content_param *params;
	size_t n;
};

/* `text` with its folds undone. */
void content_parse(struct content *c, struct arena *a, struct str text);
/* False: it is not there. */
bool content_param(const struct content *c, struct arena *a, struct str name,
		   struct str *value);

#endif
