/* SPDX-License-Identifier: ISC */
/*
 * lmtp - the LMTP conversation (RFC 2033, 5321, 1854, 1870, 2034, 3030, 6152,
 *        6531, STARTTLS as in 3207, and XFORWARD and XCLIENT as Postfix defines them),
 *        with no I/O in it
 *
 *   NEW --LHLO--> READY --MAIL--> MAIL --RCPT--> RCPT --DATA--> DATA ---+
 *                   ^               |              |                    |
 *                   |             RSET           BDAT n    BDAT n LAST  |
 *                   |               |              v                    |
 *                   +---------------+-----------  CHUNK <-> CHUNKS -----+
 *                        ... and after every message, stored or refused
 *
 * Feed it bytes, write out what lmtp_output() holds, and do what lmtp_want()
 * asks.  It knows no store, no clock and no socket, so daemon, unit test and
 * fuzzer run the same object.  The octets of a message are lent to the caller in
 * stored form as they pass (mail/dotstream.h); none is kept here.
 *
 * A message is refused as a whole, with one reply per accepted recipient, when
 * it is larger than the limit, has a bare LF, or has been through too many
 * hosts; its octets are swallowed first.  The same happens when the caller could
 * not write it.  A command that is refused changes nothing; a message that is
 * refused ends the transaction like one that is stored.
 *
 * Command lines end in CRLF (lib/lines.h).  One with a bare CR or LF or a NUL in
 * it is refused, and the connection ends: what follows could be a piece of an
 * address that some other program took for a line.  Other control octets and
 * malformed UTF-8 are refused.
 *
 * A BDAT that cannot be carried out has its octets swallowed and is then
 * refused.  When its number cannot be read, nobody knows where the next command
 * begins: 501, and the connection ends.
 *
 * XFORWARD tells the queue id of the next transaction, and is forgotten with it.
 *
 * STARTTLS and XCLIENT exist where lmtp_offer() said so.  After either, everything is as
 * at the beginning; what had been fed before STARTTLS is used up, what the caller read
 * with it he has to drop (P10).
 *
 * Owns:   its input, its output, the sender's address.
 * Limits: a command line 2048 octets with CRLF; BAD_COMMANDS refused commands
 *         between one accepted MAIL and the next; struct lmtp_limits.
 * Tests:  t/unit/channel/lmtp.c  t/fuzz/lmtp.c  t/box/test_lmtp.py
 */
#ifndef LMTP_H
#define LMTP_H

#include "lib/buf.h"
#include "lib/proxy.h"
#include "mail/dotstream.h"

enum { LMTP_OUTPUT = 32768 };

struct lmtp_limits {
	uint64_t message;    /* octets as RFC 1939 counts them */
	uint32_t recipients; /* accepted ones in a transaction */
	uint32_t received;   /* Received fields; one more is a loop */
};

struct lmtp_reply {
	unsigned code;
	const char *dsn;  /* "4.3.0" */
	const char *text; /* one line */
};

enum lmtp_want {
	LMTP_WANT_INPUT,     /* nothing pending: lmtp_feed() more bytes */
	LMTP_WANT_RECIPIENT, /* judge lmtp_recipient(), then lmtp_answer() */
	LMTP_WANT_OPEN,      /* a message comes: lmtp_done(), or lmtp_answer() why not */
	LMTP_WANT_WRITE,     /* write lmtp_data(), then the same */
	LMTP_WANT_COMMIT,    /* the message is whole: make it durable, then
	                        lmtp_answer() for each accepted recipient, in order */
	LMTP_WANT_TLS,       /* flush output, shake hands, then lmtp_done() */
	LMTP_WANT_CLIENT,    /* lmtp_client() is who it is: take it, then lmtp_done() */
	LMTP_WANT_RESET,     /* the transaction is over: forget it, then lmtp_done() */
	LMTP_WANT_CLOSE,     /* flush output and close */
};

struct lmtp;

/* The greeting stands in the output at once.  `hostname` is copied. */
struct lmtp *lmtp_new(const struct lmtp_limits *limits, struct str hostname);
void lmtp_free(struct lmtp **s);
/* At the beginning; without, neither is known. */
void lmtp_offer(struct lmtp *s, bool tls, bool xclient);

/* Takes in at most one command or one piece of a message; returns how many bytes
 * it used.  To be called in LMTP_WANT_INPUT only, with less than LMTP_OUTPUT
 * octets of output left undrained. */
size_t lmtp_feed(struct lmtp *s, struct str in);
enum lmtp_want lmtp_want(const struct lmtp *s);
struct buf *lmtp_output(struct lmtp *s); /* borrowed; caller drains it */

void lmtp_done(struct lmtp *s);
/* A recipient is accepted by a code of 2xx.  Refusing LMTP_WANT_WRITE makes the
 * core swallow the rest and give the same reply to each recipient.  What *r points
 * to is borrowed: until the transaction is over. */
void lmtp_answer(struct lmtp *s, const struct lmtp_reply *r);
extern const struct lmtp_reply lmtp_too_many; /* recipients */
/* 421 and the end: for time-outs and for shutting down.  At any time. */
void lmtp_goodbye(struct lmtp *s, const char *dsn, const char *text);

/* All borrowed, until the transaction is over where not said otherwise. */
const struct proxy_client *lmtp_client(const struct lmtp *s); /* in LMTP_WANT_CLIENT */
struct str lmtp_peer_name(const struct lmtp *s);              /* from LHLO, XCLIENT */
struct str lmtp_ident(const struct lmtp *s);     /* XFORWARD's queue id; "" is none */
struct str lmtp_sender(const struct lmtp *s);    /* canonical; "" is the null sender */
uint64_t lmtp_size(const struct lmtp *s);        /* as declared at MAIL; 0 = not */
bool lmtp_is_utf8(const struct lmtp *s);         /* SMTPUTF8 was asked for */
struct str lmtp_recipient(const struct lmtp *s); /* likewise; until the next feed */
uint32_t lmtp_accepted(const struct lmtp *s);
struct str lmtp_data(const struct lmtp *s);                 /* until the next feed */
const struct dotstream *lmtp_message(const struct lmtp *s); /* its counts */
bool lmtp_in_message(const struct lmtp *s); /* between OPEN and the last octet */
/* In LMTP_WANT_RESET: how the message was refused; NULL if none was. */
const struct lmtp_reply *lmtp_refusal(const struct lmtp *s);

#endif
