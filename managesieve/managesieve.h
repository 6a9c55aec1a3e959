/* SPDX-License-Identifier: ISC */
/*
 * managesieve - ManageSieve's authenticated state (RFC 5804 s2.4 to s2.14), with no I/O in it
 *
 *   READY --- a command that needs the store ---> ASKED --- managesieve_ok(), _no() ---> READY
 *         --- UNAUTHENTICATE --------------------> LEFT
 *         --- LOGOUT, bad input -----------------> CLOSED
 *
 * Feed it bytes, write out what managesieve_output() holds, and do what managesieve_want()
 * asks.  It touches neither socket, clock nor store: the daemon, the unit test and the fuzzer
 * share it.  What a command means for the scripts the caller decides, and how it is said is
 * decided here.
 *
 * Owns:   its command, its output.
 * Limits: those of dialogue.h and command.h; a script has at most so many octets as given.
 * Tests:  t/unit/managesieve/managesieve.c  t/fuzz/managesieve.c  t/box/test_managesieve.py
 */
#ifndef MANAGESIEVE_H
#define MANAGESIEVE_H

#include "front/capa.h"

enum managesieve_want {
	MANAGESIEVE_WANT_INPUT, /* managesieve_feed() more bytes */
	MANAGESIEVE_WANT_WRITE, /* write the output before anything else */
	MANAGESIEVE_WANT_DO,    /* do managesieve_asked(), then one of the two answers */
	MANAGESIEVE_WANT_LEAVE, /* write the output, and give the connection back */
	MANAGESIEVE_WANT_CLOSE, /* write the output, and close */
};

struct managesieve;

/* The OK to AUTHENTICATE is in the output, with what SASL says last: base64, "" = nothing.
 * capa's mechanisms and `owner`, the account's name, are borrowed. */
struct managesieve *managesieve_new(const struct capa *capa, struct str owner,
				    struct str last_word, size_t script_octets);
void managesieve_free(struct managesieve **s);

enum managesieve_want managesieve_want(const struct managesieve *s);
/* Takes in at most one command; returns how many octets it used. */
size_t managesieve_feed(struct managesieve *s, struct str in);
struct str managesieve_output(const struct managesieve *s); /* until the next call */
void managesieve_written(struct managesieve *s);

/* ---- what is to be done ------------------------------------------------------------------- */

enum managesieve_kind {
	MANAGESIEVE_HAVESPACE, /* name, octets */
	MANAGESIEVE_PUT,       /* name, text */
	MANAGESIEVE_CHECK,     /* text */
	MANAGESIEVE_LIST,
	MANAGESIEVE_ACTIVATE, /* name, or "": none is active any more */
	MANAGESIEVE_GET,      /* name */
	MANAGESIEVE_DELETE,   /* name */
	MANAGESIEVE_RENAME,   /* name, to */
};

struct managesieve_asked {
	enum managesieve_kind kind;
	struct str name, to, text; /* any octets at all */
	uint64_t octets;
};
/* Borrowed: until answered. */
struct managesieve_asked managesieve_asked(const struct managesieve *s);

/* LIST, before the answer. */
void managesieve_entry(struct managesieve *s, struct str name, bool active);
/* GET, before the answer. */
void managesieve_script(struct managesieve *s, struct str text);

/* `code` is one of RFC 5804 s1.3, or ""; `text` is for people, and may be "". */
void managesieve_ok(struct managesieve *s, const char *code, struct str text);
void managesieve_no(struct managesieve *s, const char *code, struct str text);

/* ---- the end -------------------------------------------------------------------------------- */

/* From outside: a stop, a time-out. */
void managesieve_bye(struct managesieve *s, const char *code, struct str text);

#endif
