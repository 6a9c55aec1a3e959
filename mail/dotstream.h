/* SPDX-License-Identifier: ISC */
/*
 * dotstream - a message as it travels after DATA, watched while it passes
 *
 * SMTP, LMTP and POP3 send a message in the same form: lines end in CRLF, a line
 * that begins with a dot gets a second one, CRLF.CRLF ends it.  So the bytes
 * that LMTP receives are the bytes that POP3 will send, and nothing needs to be
 * unstuffed and stuffed again: dotstream only looks at them, finds the one end
 * (P10: CRLF.CRLF and nothing else), and counts what the store wants to know.
 *
 * With BDAT (RFC 3030) the message comes unstuffed and counted; then
 * dotstream_stuff() makes the stored form of it.
 *
 * What may be in a message, and what happens to it:
 *   bare LF            counted in bare_lf; the caller refuses the message (554
 *                      5.6.0): LF alone ends a line for some readers and not for
 *                      others, which is what SMTP smuggling lives on
 *   bare CR, NUL, 8bit kept as they are: only CRLF ends a line in LMTP and POP3,
 *                      so they are data like any other octet
 *   long lines         kept; there is no line buffer anywhere that could overflow
 *   a line of one dot and more ("." CR CR LF, ". x")  data; the leading dot is
 *                      the sender's stuffing (RFC 5321 s4.5.2)
 *   no CRLF at the end cannot happen after DATA; with BDAT one is added
 *
 * Owns:  nothing; a fixed-size struct, no I/O.
 * Tests: t/unit/mail/dotstream.c  t/fuzz/dotstream.c
 */
#ifndef DOTSTREAM_H
#define DOTSTREAM_H

#include "lib/buf.h"
#include "lib/str.h"

struct dotstream {
	int state;       /* private: where in CRLF.CRLF we are */
	bool ended;      /* the end was seen (DATA) or made (BDAT) */
	uint64_t stored; /* octets in stored form, the final .CRLF included */
	uint64_t size;   /* octets as RFC 1939 counts them: unstuffed, without the end,
	                        and without octets that may yet turn out to be the end */
	uint64_t header_end; /* stored octets up to and including the empty line after
	                        the header; 0 = not seen */
	uint64_t bare_lf;
	uint32_t received; /* Received: fields in the header */
	char field[9];     /* private: first octets of the current header line */
	unsigned field_n;
};

void dotstream_init(struct dotstream *d);

/*
 * dotstream_feed - DATA: watch some octets from the wire
 *
 * Returns how many of them belong to this message; less than in.n only when
 * d->ended, and then the rest is the client's next command.  What is returned is
 * to be written to the file as it is, the final ".CRLF" included.
 */
size_t dotstream_feed(struct dotstream *d, struct str in);

/* BDAT: appends the stored form of `in` to `out` and counts it.  `out` needs
 * room for at most 2 * in.n octets.  Chunks may end anywhere. */
void dotstream_stuff(struct dotstream *d, struct str in, struct buf *out);
/* After the last chunk: appends CRLF where the text had none, and ".CRLF". */
void dotstream_finish(struct dotstream *d, struct buf *out);

#endif
