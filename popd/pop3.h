/* SPDX-License-Identifier: ISC */
/*
 * pop3 - POP3's TRANSACTION and UPDATE states (RFC 1939), with no I/O in it
 *
 *   TRANSACTION --- LIST, UIDL ---> LISTING --- all is said ---------> TRANSACTION
 *               --- RETR, TOP ----> OPENING --- pop3_not_opened() ---> TRANSACTION
 *                                           --- pop3_opened() -------> BODY, PARTS
 *                                    BODY, PARTS --- all is sent ----> TRANSACTION
 *                                                --- pop3_cut() -----> CLOSED
 *               --- QUIT ---------> UPDATE ---- pop3_committed() ----> CLOSED
 *               --- bad input ----> CLOSED
 *
 * Feed it bytes, write out what pop3_output() holds, and do what pop3_want()
 * asks.  It reads and marks (`seen`, `removed`) the entries of an opened maildrop
 * and touches neither socket, clock nor store, so popd, the unit test and the
 * fuzzer share it.  Nothing is removed but by the caller's maildrop_commit(), and
 * that is asked for at QUIT only (P6).
 *
 * A message travels in stored form, which is the wire's form: trace, shared
 * octets, ".CRLF".  For RETR the caller sends it in one call; TOP (and RETR, where
 * the storage has no descriptor) asks for the octets it needs, piece by piece.
 *
 * Owns:   its line, its output.  The entries are borrowed.
 * Limits: those of dialogue.h; a piece has at most POP3_PART_MAX octets.
 * Tests:  t/unit/popd/pop3.c  t/fuzz/pop3.c  t/box/test_pop3.py
 */
#ifndef POP3_H
#define POP3_H

#include "popd/capa.h"
#include "store/maildrop.h"

enum { POP3_PART_MAX = 8192 };

enum pop3_want {
	POP3_WANT_INPUT,  /* pop3_feed() more bytes */
	POP3_WANT_WRITE,  /* write the output before anything else: pop3_written() */
	POP3_WANT_OPEN,   /* open pop3_message(): pop3_opened() or pop3_not_opened() */
	POP3_WANT_BODY,   /* write the output and all stored octets: pop3_body_sent() */
	POP3_WANT_PART,   /* read pop3_part(): pop3_part_read(), pop3_part_failed() */
	POP3_WANT_COMMIT, /* maildrop_commit(), then pop3_committed() */
	POP3_WANT_CLOSE,  /* write the output, if any, and close */
};

struct pop3;

/* The +OK to PASS is in the output.  `entries` must outlive it. */
struct pop3 *pop3_new(const struct capa *capa, struct maildrop_entry *entries, size_t n);
void pop3_free(struct pop3 **s);

enum pop3_want pop3_want(const struct pop3 *s);
/* Takes in at most one command; returns how many octets it used. */
size_t pop3_feed(struct pop3 *s, struct str in);
struct str pop3_output(const struct pop3 *s); /* borrowed: until the next call */
void pop3_written(struct pop3 *s);

/* ---- a message ------------------------------------------------------------------ */

size_t pop3_message(const struct pop3 *s); /* index of the entry that is wanted */

struct pop3_body {
	struct str trace;    /* the recipient's own lines, in stored form; copied */
	uint64_t stored;     /* octets of the shared part, its ".CRLF" included */
	uint64_t header_end; /* 0 = it has no empty line */
	bool in_parts;       /* there is no descriptor to send from */
};
void pop3_opened(struct pop3 *s, const struct pop3_body *body);
/* With `for_now` it may be read later; without, only the operator can help. */
void pop3_not_opened(struct pop3 *s, bool for_now);
void pop3_body_sent(struct pop3 *s);

struct pop3_part {
	uint64_t offset;
	size_t n; /* at most POP3_PART_MAX */
};
struct pop3_part pop3_part(const struct pop3 *s);
/* All of pop3_part()'s octets. */
void pop3_part_read(struct pop3 *s, struct str octets);
/* They cannot be had: -ERR while nothing of the message was written, else cut. */
void pop3_part_failed(struct pop3 *s);

/* A message was begun and cannot be finished: no reply can be true any more. */
void pop3_cut(struct pop3 *s);

/* ---- the end ---------------------------------------------------------------------- */

void pop3_committed(struct pop3 *s, bool ok);

/* For the log. */
struct pop3_counts {
	size_t retrieved; /* whole messages sent, again counted again */
	size_t removed;   /* by a commit that succeeded */
	uint64_t octets;  /* of the messages retrieved */
	bool quit;
};
struct pop3_counts pop3_counts(const struct pop3 *s);

#endif
