/* SPDX-License-Identifier: ISC */
/*
 * header - the header of a message or of a MIME part (RFC 5322), found once
 *
 * Lines end in CRLF or LF.  What is no field ("From " of an mbox, a line without a colon)
 * is passed over.  A field's value is made when it is asked for: folds undone, blanks at
 * both ends gone, RFC 2047 decoded.
 *
 * Owns:    nothing: fields point into the text, all else lies in the arena.
 * Limits:  HEADER_FIELDS; what follows is passed over.
 * Threads: one at a time, since values are made late.
 * Tests:   t/unit/mail/header.c
 */
#ifndef HEADER_H
#define HEADER_H

#include "lib/arena.h"

enum { HEADER_FIELDS = 10000, HEADER_BUCKETS = 64 };

struct address_list;

struct field {
	struct str name;  /* as written */
	struct str body;  /* behind the colon, without the line's end */
	struct str whole; /* all of it, with the line's end */
	uint32_t hash;
	uint32_t next; /* of the same bucket: its index and 1, or 0 */
	bool decoded;
	struct str value;                     /* field_value() */
	const struct address_list *addresses; /* field_addresses() */
};

struct header {
	struct arena *arena;
	struct field *fields;
	size_t n;
	uint32_t bucket[HEADER_BUCKETS]; /* index and 1 of the first field */
};

/* Takes the header and the empty line behind it off *text.  `stuffed`: lines that begin
 * with a dot have another one before it. */
void header_parse(struct header *h, struct arena *a, struct str *text, bool stuffed);

/* The buckets anew, after fields have changed. */
void header_index(struct header *h);

/* The first field of that name behind `after`, which is NULL at first; NULL: none. */
struct field *header_find(const struct header *h, struct str name,
			  const struct field *after);

/* Decoded, as UTF-8. */
struct str field_value(struct arena *a, struct field *f);
/* As written, with folds undone and without blanks at both ends. */
struct str field_raw(struct arena *a, const struct field *f);
const struct address_list *field_addresses(struct arena *a, struct field *f);

/* A name as RFC 5322 has it: printable ASCII but the colon, at least one octet. */
bool header_is_name(struct str s);

#endif
