/* SPDX-License-Identifier: ISC */
/*
 * envelope - what the MTA hands on of MAIL FROM and RCPT TO, and what it is told,
 *            without libmilter
 *
 * The MTA passes the words of both commands as the client sent them: the path in
 * its angle brackets, quotes and all, then the ESMTP parameters.
 *
 * Tests: t/unit/milter/envelope.c  t/box/test_milter.py
 */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include "lib/str.h"
#include "store/verdict.h"

enum envelope_action {
	ENVELOPE_CONTINUE, /* no opinion, or none against it: others may still refuse */
	ENVELOPE_TEMPFAIL,
	ENVELOPE_REJECT,
};

enum { ENVELOPE_TEXT = 900 }; /* libmilter takes 980 octets */

struct envelope_reply {
	enum envelope_action action;
	char code[4];             /* "550"; "" with ENVELOPE_CONTINUE */
	char dsn[10];             /* "5.1.1" */
	char text[ENVELOPE_TEXT]; /* '%' doubled: libmilter's MTAs take it for a format */
};

/* The size announced by MAIL FROM; 0 when there is none, UINT64_MAX when it has
 * more digits than we can hold.  `words` ends in NULL. */
uint64_t envelope_size(char *const *words);

/* The address to judge: without its brackets, if it has them. */
struct str envelope_address(const char *word);

void envelope_reply(const struct verdict *v, struct envelope_reply *out);
/* "550 5.7.1", in the words of a script, which are one line of ASCII. */
void envelope_refuse(const char *text, struct envelope_reply *out);

#endif
