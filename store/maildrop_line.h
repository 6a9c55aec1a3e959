/* SPDX-License-Identifier: ISC */
/*
 * maildrop_line - one line of a maildrop as text; format in doc/STORE.md
 *
 *   popstore-maildrop 1 <uid> <sum>
 *   <number> + <id> <volume> <slot> <size> <stored> <header> <key> <trace> <count> <octets> <sum>
 *   <number> r <id> <count> <octets> <sum>
 *   <number> - <id> <key> <count> <octets> <sum>
 *   <number> ! 0000000000000 <count> <octets> <sum>
 *
 * <count> and <octets> are the totals after the line.  The sum is XXH3-64 of the
 * line before it, seeded with the account's uid, so that a line says whose it is.
 * An added line whose '+' was overwritten by an 'x' was removed while the disk was
 * full (no space for a line, but none is needed to change an octet); its sum is
 * that of the '+', and later totals still count it until the file is rewritten.
 *
 * Tests: t/unit/store/maildrop_line.c  t/fuzz/maildrop.c
 */
#ifndef MAILDROP_LINE_H
#define MAILDROP_LINE_H

#include "lib/buf.h"
#include "lib/str.h"
#include "store/retry.h"

#include <stdint.h>

enum { MAILDROP_LINE_MAX = 4096 };

enum maildrop_event {
	MAILDROP_HEADER = 'h',
	MAILDROP_ADDED = '+',
	MAILDROP_DROPPED = 'x', /* added once, removed in place */
	MAILDROP_READ = 'r',
	MAILDROP_REMOVED = '-',
	MAILDROP_REBUILT = '!', /* of no message: lines before this one were damaged */
};

struct maildrop_line {
	uint64_t number; /* of the line, the header's is 0 */
	enum maildrop_event event;
	uint64_t id;
	/* of an added line */
	uint32_t volume;
	uint32_t slot; /* offset of the state octet in the message file */
	uint64_t size, stored, header_end;
	struct str trace; /* percent-encoded, "" = none; borrowed */
	/* of an added line; of a removed one without an added line before it */
	struct retry_key key;
	uint32_t event_at; /* where in the line the event's octet is */
	/* after the line */
	uint64_t count, octets;
};

/* Appends the line with its newline. */
void maildrop_line_print(const struct maildrop_line *l, uint64_t uid, struct buf *out);
/* Appends sum and newline to the line that begins at `from`. */
void maildrop_line_sign(struct buf *out, size_t from, uint64_t uid);
/* Appends the line behind *last that says that lines were lost. */
void maildrop_line_mark(struct maildrop_line *last, uint64_t uid, struct buf *out);
/* `text` is one line without its newline. */
bool maildrop_line_parse(struct str text, uint64_t uid,
			 struct maildrop_line *out) MUST_USE;

#endif
