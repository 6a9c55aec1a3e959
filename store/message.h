/* SPDX-License-Identifier: ISC */
/*
 * message - a message file: header, one slot per recipient, the wire form
 *
 * The file is its own journal (doc/STORE.md, sections 10 and 13): the header names every
 * recipient account with its incarnation and one octet of state, so a maildrop
 * line that a crash lost is made again from it, and the file knows when nobody
 * needs it any more.  The body is what POP3 sends after the +OK line, to the last
 * octet, from one offset, by one sendfile.
 *
 * Slots go from '+' to '-' and never back, but for repair.  Three checksums: of the head, which one
 * read fetches for a RETR; of the slots, with every state octet taken as '+'; of
 * the body.
 *
 * Tests: t/unit/store/message.c  t/fuzz/message.c
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "store/name.h"
#include "store/retry.h"
#include "store/storage.h"

struct store;

enum {
	MESSAGE_TRACE_MAX = 1024,     /* octets of a recipient's own header lines */
	MESSAGE_HEAD_MAX = 4096,      /* the first part of the header */
	MESSAGE_HEADER_MAX = 8 << 20, /* header and slots */
};

/* One recipient in the header. */
struct message_slot {
	struct name name; /* account at the time of delivery */
	uint64_t uid;     /* its incarnation */
	uint32_t offset;  /* of the state octet in the file */
	char state;       /* '+' holds, '-' released */
	struct str
		trace; /* recipient's own header lines in stored form, percent-encoded as
	                     in record.h; "" = none; borrowed from the header's text */
};

/* What the header says. */
struct message_info {
	uint64_t id;
	uint64_t arrived_ms;
	struct str from;        /* envelope sender as in MAIL FROM, "" = null; borrowed */
	struct str envelope_id; /* session and transaction, for the log; borrowed */
	uint64_t body;          /* offset of the first octet of the message */
	uint64_t stored;        /* octets from there to the end of the file */
	uint64_t size;          /* octets as RFC 1939 counts them, without trace */
	uint64_t header_end;    /* stored octets up to and including the empty line */
	uint64_t sum;           /* XXH3-64 of the stored octets */
	struct retry_key key;   /* what a retry is known by */
	size_t n_slots;
	struct message_slot *slots; /* NULL until message_slots() */
};

struct message_path {
	char s[64];
};

/* "messages/20261121/2013/<id>" */
struct message_path message_path(uint64_t id);

/* ---- a file that is there ---------------------------------------------------- */

struct message;

/* Reads and checks the first part of the header (one read). *out is NULL when
 * there is no such file; ERR_TEMP when it is damaged or shorter than it says (the
 * text names file and reason). */
int message_open(struct store *s, unsigned volume, uint64_t id, struct message **out,
		 struct err *e);
void message_close(struct message **m);
const struct message_info *message_info(const struct message *m); /* borrowed */
int message_fd(const struct message *m); /* for sendfile; -1: message_read() */
/* Reads and checks the recipients; message_info() has them afterwards. */
int message_slots(struct message *m, struct err *e);
/* The slot of an account's incarnation, or NULL; after message_slots(). */
const struct message_slot *message_slot_of(const struct message_info *mi, uint64_t uid);
/* Reads stored octets at `offset` from the body's start. */
int message_read(struct message *m, uint64_t offset, char *to, size_t n, size_t *got,
		 struct err *e);
/* Reads the whole body and compares its checksum: ERR_TEMP names the damage. */
int message_verify(struct message *m, struct err *e);
/* The same, telling of each piece that was read; ends with -1 where `piece` says false. */
int message_verify_by(struct message *m, bool (*piece)(size_t octets, void *ctx),
		      void *ctx, struct err *e);

/* Releases the slot of account `uid` and removes the file when no slot holds any
 * more.  The caller has made the removal durable in the maildrop before (P4).
 * Idempotent: a file or slot that is gone is success. */
int message_release(struct store *s, unsigned volume, uint64_t id, uint64_t uid,
		    struct err *e);
/* The same where the volume is not known. */
int message_release_anywhere(struct store *s, uint64_t id, uint64_t uid, struct err *e);
/* Takes a slot back that was released although the maildrop still holds the message. */
int message_hold(struct store *s, unsigned volume, uint64_t id, uint64_t uid,
		 struct err *e);
/* Moves a file that is not a whole message to <volume>/damaged/<id>, or <id>.1, .2 and so on
 * if there is one, for the operator; removes it if it is empty. */
int message_set_aside(struct store *s, unsigned volume, uint64_t id, struct err *e);

int message_exists(struct store *s, unsigned volume, uint64_t id, bool *found,
		   struct err *e);

/* ---- a file that is not where it belongs, for repair ----------------------------- */

/* Paths are within the volume, as message_each_stray() and message_each_aside() give them. */
/* Like message_open(), whatever message it is. */
int message_open_at(struct store *s, unsigned volume, const char *path,
		    struct message **out, struct err *e);
/* The id that a file's head gives, if that is whole; else, and without a file, 0. */
int message_id_at(struct store *s, unsigned volume, const char *path, uint64_t *id,
		  struct err *e);
/* Moves it to the place of message `id`, durably; an existing file is left alone (*taken). */
int message_bring_home(struct store *s, unsigned volume, const char *path, uint64_t id,
		       bool *taken, struct err *e);
/* Moves it to damaged/, under the first name of `id` that is free there. */
int message_put_aside(struct store *s, unsigned volume, const char *path, uint64_t id,
		      struct err *e);

/* ---- every file of all volumes, for recovery, check and expiry ---------------- */

/* Ids from from_ms to to_ms (Unix time, inclusive), by the minute oldest first within
 * a volume.  `each` returning -1 ends it. */
int message_each(struct store *s, uint64_t from_ms, uint64_t to_ms,
		 int (*each)(unsigned volume, uint64_t id, void *ctx, struct err *e),
		 void *ctx, struct err *e);

/* What is not in the place of a message, although it lies in messages/: `id` is that of its
 * name, 0 if the name is none of ours.  Walks all directories; one that cannot be read is
 * told to `bad`, and passed by. */
int message_each_stray(struct store *s,
		       int (*each)(unsigned volume, const char *path, uint64_t id,
				   void *ctx, struct err *e),
		       void (*bad)(const struct err *why, void *ctx), void *ctx,
		       struct err *e);
/* What was set aside; `id` is that of its name. */
int message_each_aside(struct store *s,
		       int (*each)(unsigned volume, const char *path, uint64_t id,
				   void *ctx, struct err *e),
		       void (*bad)(const struct err *why, void *ctx), void *ctx,
		       struct err *e);

/* ---- the header as text -------------------------------------------------------- */

/* Appends the header; body and slots[].offset are set.  Its length depends on
 * sender, envelope id and slots only, so that its first part can be written again over itself
 * when stored, size, header_end, sum and key are known.  With more recipients than `out`
 * has room for, buf_over(out) says so. */
void message_header_print(struct message_info *mi, struct buf *out);
/* Its first part alone, for then: as long as it was, and what follows is the same. */
void message_head_print(const struct message_info *mi, struct buf *out);
/* The first part, without slots.  `text` starts at the file's start, is borrowed,
 * and may be cut anywhere behind the first part. */
int message_head_parse(struct str text, struct message_info *out, struct err *e);
/* The recipients: `text` is the whole header (mi->body octets).  Ends with
 * message_info_fini(). */
int message_slots_parse(struct str text, struct message_info *mi, struct err *e);
void message_info_fini(struct message_info *mi);
/* Octets of a percent-encoded trace once decoded. */
uint64_t message_trace_octets(struct str encoded);

#endif
