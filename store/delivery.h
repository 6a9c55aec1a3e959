/* SPDX-License-Identifier: ISC */
/*
 * delivery - one message, all its recipients, one copy, one sync
 *
 *   begin -> rcpt* -> open -> write* -> commit -> end
 *
 * The message file names every recipient, so once it is durable a maildrop line
 * can always be made again, and the lines are appended without waiting for the
 * disk (doc/STORE.md, section 13).  commit() returns after that one sync and those
 * appends: what it says of a recipient may be said to the MTA.  end() before
 * commit() leaves nothing behind.
 *
 * A recipient who got the same message before, of which the MTA did not get the reply,
 * lets it go again (store/retry.h).
 *
 * Recipients are accounts; the same account twice holds one slot and gets one
 * copy, and one in each folder that it is filed into.  Forwardings are resolved by the caller (channel/).
 *
 * Owns:    a draft of the message file.
 * Threads: one owner; any number of deliveries at once.
 * Tests:   t/unit/store/delivery.c
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "store/account.h"
#include "store/retry.h"
#include "store/verdict.h"

struct store;
struct delivery;

struct delivery *delivery_begin(struct store *s, struct str sender,
				struct str envelope_id);
/* Returns the slot's number, the first one when the account was named before.
 * `trace` (header lines of this recipient alone, in stored form) is copied; that of the first
 * naming stands. */
size_t delivery_rcpt(struct delivery *d, const struct account *a, struct str trace);
size_t delivery_recipients(const struct delivery *d);

/* Takes an id and a place and starts the file.  No more recipients after this. */
int delivery_open(struct delivery *d, struct err *e) MUST_USE;
uint64_t delivery_id(const struct delivery *d); /* after open */
/* Stored form: CRLF, dot-stuffed, at last ".CRLF". */
int delivery_write(struct delivery *d, struct str stored, struct err *e) MUST_USE;

struct delivery_totals {
	uint64_t size;       /* RFC 1939 octets of what was written */
	uint64_t header_end; /* stored octets */
};

/* What a retry of this message would be known by, and since when it can have come before;
 * before the commit.  Without it the message is taken for a new one. */
void delivery_set_retry_key(struct delivery *d, struct retry_key key, uint64_t since_ms);

/* Before the commit, after all writes.  What was written, up to `max` octets of it: borrowed
 * from the delivery where it is still in memory, else read into `room`. */
int delivery_text(struct delivery *d, size_t max, struct buf *room, struct str *out,
		  struct err *e) MUST_USE;
/* The same: the id under which slot i got this message before, if the commit were now. */
int delivery_find_first(struct delivery *d, size_t i, uint64_t *first,
			struct err *e) MUST_USE;
/* The same: slot i gets nothing, and delivery_result() says `result` and `why` (copied, or
 * NULL).  Its slot is let go from the first octet on, so that no crash brings it back; where
 * nobody gets anything, no file is made. */
void delivery_leave_out(struct delivery *d, size_t i, enum verdict_code result,
			const struct err *why);
/* The same: the message goes to this folder of slot i's account, too (once, however often it
 * is named), with the trace of that slot: another slot in the one copy.  delivery_result(i)
 * then speaks of the account and its folders together.  False: the file has no room for it. */
bool delivery_file_into(struct delivery *d, size_t i, const struct account *folder);

/* Whether it was, with whatever result. */
bool delivery_is_left_out(const struct delivery *d, size_t i);

/* Makes the message durable and gives it to the recipients.  -1: nobody got it (e
 * says why; for all recipients alike).  0: see delivery_result(). With no
 * recipients it fails a promise. */
int delivery_commit(struct delivery *d, const struct delivery_totals *t,
		    struct err *e) MUST_USE;

/* Of slot i, and its folders, after a commit that returned 0: VERDICT_OK, OVER_QUOTA, TOO_LARGE,
 * NO_USER (deleted meanwhile), or TRY_AGAIN; *why says more for the last two. */
enum verdict_code delivery_result(const struct delivery *d, size_t i, struct err *why);

/* The same: the id under which the account got this message before, 0 if it did not, or not
 * wherever it is to go.  Such a recipient is VERDICT_OK, and nothing was added. */
uint64_t delivery_first_id(const struct delivery *d, size_t i);

/* After open and all writes, committed or not: what was written, for handing it on
 * to sendmail(1).  Reads stored octets at `offset`. */
int delivery_read(struct delivery *d, uint64_t offset, char *to, size_t n, size_t *got,
		  struct err *e) MUST_USE;

void delivery_end(struct delivery **d);

#endif
