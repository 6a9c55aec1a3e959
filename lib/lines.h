/* SPDX-License-Identifier: ISC */
/*
 * lines - commands out of a stream: lines that end in CRLF, and nothing else
 *
 * Feed it what arrived; it says when a line is whole.  A line ends at its LF, so
 * that a refused one is refused once and the next one starts clean, but it is a
 * command only when CR LF stands at its end and nowhere else.  What is over the
 * limit is swallowed up to its LF and reported once, never split in two.
 *
 * With lf_ends, an LF that has no CR before it ends a command, too: for a protocol whose
 * clients were never told otherwise, and in which nothing follows but commands.
 *
 * Owns:   the line being collected, which may hold a password: lines_fini()
 *         wipes it, and it never leaves a copy behind by growing.
 * Limits: max octets a line, its CRLF included (POP3 255, RFC 2449 s4).
 * Tests:  t/unit/lib/lines.c
 */
#ifndef LINES_H
#define LINES_H

#include "lib/str.h"

enum lines_result {
	LINES_MORE,     /* no whole line yet */
	LINES_ONE,      /* lines_text() is one */
	LINES_TOO_LONG, /* one went by that was longer than max */
	LINES_BARE,     /* one went by, of any length, with a CR or LF that was no
			   part of a CRLF */
	LINES_NUL,      /* a NUL: no client sends that, the caller should hang up */
};

struct lines {
	char *text;
	size_t n, max;
	bool lf_ends; /* for the caller to set after lines_init() */
	bool cr, bare, too_long;
	size_t ending; /* of the last line: 2, or 1 where it was an LF alone */
};

void lines_init(struct lines *l, size_t max);
void lines_fini(struct lines *l);

/* Takes octets up to the end of one line; returns how many. */
size_t lines_feed(struct lines *l, struct str in, enum lines_result *result);
/* The line without its end; borrowed: until the next lines_feed(). */
struct str lines_text(const struct lines *l);
/* Wipes it, for who goes on with the connection after a password. */
void lines_forget(struct lines *l);

#endif
