/* SPDX-License-Identifier: ISC */
/*
 * command - ManageSieve's commands out of a stream of octets (RFC 5804 s1.2, s4)
 *
 *   PUTSCRIPT "name" {31+}CRLF
 *   ...31 octets...CRLF             an atom, then strings and numbers, then CRLF
 *
 * Feed it what arrived; it says when a command is whole.  Within an exchange of SASL a command
 * is a string alone, and has no atom.  A string stands between quotes, or is a literal: its
 * length in braces, a line end, and so many octets, whatever they are.  A client sends {n+},
 * and does not wait; {n}, which is a server's, is taken for the same.
 *
 * What is no command is refused once, at its end, and its literals are passed over: their
 * octets never become commands.  A script that is too long is passed over likewise.
 *
 * Owns:   the items, which may be passwords: they are wiped.
 * Limits: COMMAND_ITEMS items, COMMAND_LINE_MAX octets outside of literals, the octets of a
 *         string as set; a literal that is longer than COMMAND_PASS_OVER times that is not
 *         waited for.
 * Tests:  t/unit/managesieve/command.c  t/fuzz/managesieve.c
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "lib/buf.h"

#include <stdint.h>

enum {
	COMMAND_ITEMS = 4,
	COMMAND_LINE_MAX = 16384,
	COMMAND_WORD_MAX = 64, /* an atom or a number */
	COMMAND_PASS_OVER = 16,
};

enum command_kind { COMMAND_ATOM, COMMAND_NUMBER, COMMAND_STRING };

struct command_item {
	enum command_kind kind;
	struct buf text;
};

enum command_result {
	COMMAND_MORE,     /* no whole command yet */
	COMMAND_WHOLE,    /* items[] are one; there may be none */
	COMMAND_BAD,      /* one went by that is none; command_why() */
	COMMAND_TOO_LONG, /* one went by with a string that is too long; its items before
			     that are there */
	COMMAND_HOPELESS, /* a NUL, or a literal that is too long to be passed over: what
			     comes next cannot be told, the caller should hang up */
};

struct command {
	size_t longest; /* octets of a string */
	struct command_item items[COMMAND_ITEMS];
	size_t n;
	size_t long_item; /* COMMAND_TOO_LONG: the first one that is */
	/* private: */
	int state, brace;
	uint64_t number; /* of a literal: its octets, those to come */
	size_t digits, line;
	bool over, too_long; /* the last command is; a string of this one was */
	const char *why;     /* it is no command */
};

void command_init(struct command *c, size_t longest);
void command_fini(struct command *c);

/* Takes octets up to the end of one command; returns how many.  The items are the command's
 * until the next call. */
size_t command_feed(struct command *c, struct str in, enum command_result *result);
/* Between two commands only. */
void command_longest(struct command *c, size_t octets);
const char *command_why(const struct command *c);
/* Wipes the items. */
void command_forget(struct command *c);

struct str command_text(const struct command *c,
			size_t i); /* borrowed; "" past the end */
/* "ssn": items from the second on are two strings and a number (RFC 5804 s4: 32 bits, no
 * leading zeros); a '?' makes those that follow optional. */
bool command_has(const struct command *c, const char *kinds);
bool command_number(struct str digits, uint64_t *out) MUST_USE;

#endif
