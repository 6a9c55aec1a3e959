/* SPDX-License-Identifier: ISC */
/*
 * dialogue - what ManageSieve's two states have in common: commands in, responses out
 *
 * Both cores (login.h, managesieve.h) collect their commands and their responses here, so that
 * what is no command is refused in one way, and what holds in both states (CAPABILITY, NOOP)
 * is said once.
 *
 * Responses are gathered while more input is there up to DIALOGUE_FULL; then they want to be
 * written before the next command runs.
 *
 * Owns:   the command (wiped, it may be a password) and the responses.
 * Limits: DIALOGUE_BAD_MAX bad commands a connection and state; DIALOGUE_OUT_MAX octets of
 *         responses.
 * Tests:  t/unit/managesieve/login.c  t/unit/managesieve/managesieve.c
 */
#ifndef MANAGESIEVE_DIALOGUE_H
#define MANAGESIEVE_DIALOGUE_H

#include "front/capa.h"
#include "managesieve/command.h"

enum {
	DIALOGUE_BAD_MAX = 10,
	DIALOGUE_FULL = 16384, /* from here on, write first */
	DIALOGUE_KEEP = 4096,
	DIALOGUE_OUT_MAX = 4 << 20,
	DIALOGUE_QUOTED_MAX = 1024, /* RFC 5804 s4 */
};

struct dialogue {
	struct command command;
	struct buf out;
	unsigned bad;
	bool ended; /* the peer has used up our patience */
};

void dialogue_init(struct dialogue *d, size_t longest);
void dialogue_fini(struct dialogue *d);

/* Takes in at most one command; returns how many octets it used.  True in *whole when there is
 * one; in *too_long when one went by that has too long a string.  What is none is answered
 * here. */
size_t dialogue_feed(struct dialogue *d, struct str in, bool *whole, bool *too_long);
/* The responses are written. */
void dialogue_written(struct dialogue *d);

/* ---- responses (RFC 5804 s1.3) ------------------------------------------------------------ */

/* A string: between quotes, or as a literal where it has to be. */
void dialogue_string(struct buf *out, struct str s);
/* `code` and `text` may be "". */
void dialogue_ok(struct dialogue *d, const char *code, struct str text);
void dialogue_no(struct dialogue *d, const char *code, struct str text);
/* The last one: whoever asks for more has ended. */
void dialogue_bye(struct dialogue *d, const char *code, struct str text);
/* OK with a code that has a string: TAG, SASL. */
void dialogue_ok_with(struct dialogue *d, const char *code, struct str argument,
		      struct str text);
/* NO, and one bad command more. */
void dialogue_refuse(struct dialogue *d, const char *why);

/* ---- what holds in both states -------------------------------------------------------------- */

/* RFC 5804 s1.7, with the OK.  `owner` is "" before login. */
void dialogue_capabilities(struct dialogue *d, const struct capa *capa, struct str owner);
void dialogue_noop(struct dialogue *d);

static inline bool dialogue_full(const struct dialogue *d)
{
	return d->out.n >= DIALOGUE_FULL;
}

#endif
