/* SPDX-License-Identifier: ISC */
/*
 * dialogue - what POP3's states have in common: lines in, replies out, patience
 *
 * Both cores (login.h, pop3.h) collect their commands and their replies here, so
 * that what is no command is refused in one way:
 *
 *   over 255 octets (RFC 2449 s4)   swallowed to its end, one -ERR
 *   a CR or LF alone                one -ERR for the line
 *   a NUL                           -ERR, and that was the last reply
 *
 * Replies are gathered while more input is there (PIPELINING) up to
 * DIALOGUE_FULL; then they want to be written before the next command runs.
 *
 * Owns:   the line (wiped, it may be a password) and the replies.
 * Limits: DIALOGUE_BAD_MAX bad commands a connection and state; DIALOGUE_OUT_MAX
 *         octets of replies.
 * Tests:  t/unit/popd/login.c  t/unit/popd/pop3.c
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "lib/buf.h"
#include "lib/lines.h"

enum {
	DIALOGUE_LINE_MAX = 255,
	DIALOGUE_BAD_MAX = 10,
	DIALOGUE_FULL = 16384, /* from here on, write first */
	DIALOGUE_KEEP = 4096,
	DIALOGUE_OUT_MAX = 65536,
};

/* To a command longer than DIALOGUE_LINE_MAX. */
#define DIALOGUE_TOO_LONG "a command has at most 255 octets"

struct dialogue {
	struct lines lines;
	struct buf out;
	unsigned bad;
	bool ended; /* the peer has used up our patience */
};

void dialogue_init(struct dialogue *d);
void dialogue_fini(struct dialogue *d);

/* Takes in at most one line; returns how many octets it used.  True in *whole
 * when *line is a well-formed one: borrowed until the next feed. */
size_t dialogue_feed(struct dialogue *d, struct str in, struct str *line, bool *whole);

/* From the next line on, a line may have so many octets, CRLF included: a response of
 * SASL is longer than a command.  Between two lines only. */
void dialogue_longest(struct dialogue *d, size_t octets);

/* "-ERR why", and one bad command more. */
void dialogue_refuse(struct dialogue *d, const char *why);

/* The replies are written: forget them, and give back what a long listing took, as
 * most sessions then wait. */
void dialogue_written(struct dialogue *d);

static inline bool dialogue_full(const struct dialogue *d)
{
	return d->out.n >= DIALOGUE_FULL;
}

#endif
