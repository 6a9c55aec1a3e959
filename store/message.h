/* SPDX-License-Identifier: ISC */
/*
 * message - a message file: header, one slot per recipient, the wire form
 *
 * The file is its own journal (DESIGN 5.2, doc/STORE.md): the header names every
 * recipient account with its incarnation and one octet of state, so a maildrop
 * line that a crash lost is made again from it, and the file knows when nobody
 * needs it any more.  The body is what POP3 sends after the +OK line, to the last
 * octet, from one offset, by one sendfile.
 *
 * Slots go from '+' to '-' and never back.  The state octets are not covered by
 * the header's checksum; everything else is, and the body has its own.
 *
 * Tests: t/unit/store/message.c  t/fuzz/message.c
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "store/name.h"
#include "store/storage.h"

struct store;

enum { MESSAGE_TRACE_MAX = 1024, MESSAGE_HEADER_MAX = 4 << 20 };

/* One recipient in the header. */
struct message_slot {
	struct name name;   /* account at the time of delivery */
	uint64_t uid;       /* its incarnation */
	uint32_t offset;    /* of the state octet in the file */
	char state;         /* '+' holds, '-' released */
	struct str trace;   /* recipient's own header lines, sent before the shared octets;
	                       in stored form; borrowed from the header's text */
};

/* What the header says. */
struct message_info {
	uint64_t id;
	uint64_t arrived_ms;
	struct str from;        /* envelope sender, as in MAIL FROM, "" = null; borrowed */
	struct str envelope_id; /* session and transaction, for the log; borrowed */
	uint64_t body;          /* offset of the first octet of the message */
	uint64_t stored;        /* octets from there to the end of the file */
	uint64_t size;          /* octets as RFC 1939 counts them, without trace */
	uint64_t header_end;    /* stored octets up to and including the empty line */
	uint64_t sum;           /* XXH3-64 of the stored octets */
	size_t n_slots;
	struct message_slot *slots;
};

/* ---- a file that is there ---------------------------------------------------- */

struct message;

/* *out is NULL when there is no such file; ERR_TEMP when it is damaged (the text
 * names file and reason; e->dsn is "4.3.0"). */
int message_open(struct store *s, unsigned volume, uint64_t id, struct message **out,
		 struct err *e);
void message_close(struct message **m);
const struct message_info *message_info(const struct message *m); /* borrowed */
int message_fd(const struct message *m); /* for sendfile; -1: message_read() */
/* Reads stored octets at `offset` from the body's start. */
int message_read(struct message *m, uint64_t offset, char *to, size_t n, size_t *got,
		 struct err *e);
/* Reads the whole body and compares its checksum: ERR_TEMP names the damage. */
int message_verify(struct message *m, struct err *e);

/* Releases the slot of account `uid` and removes the file when no slot holds any
 * more.  The caller has made the removal durable in the maildrop before (P4).
 * Idempotent: a file or slot that is gone is success. */
int message_release(struct store *s, unsigned volume, uint64_t id, uint64_t uid,
		    struct err *e);

/* ---- every file of a volume, for recovery, check and expiry ------------------- */

/* Ids between from_ms and to_ms (Unix), oldest first, with the volume. */
int message_each(struct store *s, uint64_t from_ms, uint64_t to_ms,
		 int (*each)(unsigned volume, uint64_t id, void *ctx, struct err *e), void *ctx,
		 struct err *e);

/* ---- the header as text -------------------------------------------------------- */

/* Parses `text` (which starts at the file's start); slots are allocated and end
 * with message_info_fini(). `text` is borrowed.  What is missing at the end of the
 * header is an error, damage too. */
int message_header_parse(struct str text, struct message_info *out, struct err *e);
void message_info_fini(struct message_info *mi);
/* The length of the header, body offset included, from the file's first octets; 0:
 * not a message file. */
uint64_t message_header_length(struct str first);
/* Appends the header; offsets in mi->slots are set.  Its length depends on
 * sender, envelope id and slots only, so that it can be written again over itself
 * when stored, size, header_end and sum are known. */
void message_header_print(struct message_info *mi, struct buf *out);

#endif
