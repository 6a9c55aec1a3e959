/* SPDX-License-Identifier: ISC */
/*
 * message_mend - the damaged header of a message file, made again where that is proved
 *
 * Head and recipients are mended each by the first of these that works:
 *
 *   one octet           the checksum tells which one, and what it was (store/mend.h)
 *   head from the rest  id from the place, lengths and body-sum from the body; written only
 *                       if the head-sum that is still there proves the whole head, or if the
 *                       body-sum that is still there proves the body, and the id (or the
 *                       retry key, which a maildrop knows) that it is this message's
 *   slots from claims   each maildrop that has the message knows its own line to the octet;
 *                       proved if the slot-sum fits then, or if nothing is between them
 *   fillers             what is lost between claims becomes one line for each gap, held by
 *                       nobody's uid, so that a file is never removed for a guess.  Not
 *                       lost is a line whose name and uid are those of an account.  If it
 *                       holds for one that does not have the message, it is a line that
 *                       the maildrop lost; its trace is not proved then, so that neither
 *                       it nor a filler can stand there: nothing is mended
 *
 * A body that fails its checksum is never given a head, and no offset moves, since maildrops
 * have those of their slots.  Octets are overwritten in place, recipients first, only those
 * that differ, and then synced: what a crash leaves is damaged, and mended the next time.
 *
 * While it is damaged nobody can let go of the message.  A session that removes it at the
 * same time finds that out (an untidy end), or its release is overwritten: then the slot
 * holds on, which is the safe error, and the check of slots (I7) lets it go.
 *
 * Limits: texts of MEND_MAX octets for the one octet; the header's own.
 * Tests:  t/unit/store/message_mend.c  t/unit/store/check_mend.c
 */
#ifndef MESSAGE_MEND_H
#define MESSAGE_MEND_H

#include "store/message.h"

/* A line of which only name and uid are known, and that they fit. */
enum message_owner {
	MESSAGE_OWNER_NONE,  /* no account has this name and uid */
	MESSAGE_OWNER_GONE,  /* one that says that it removed the message */
	MESSAGE_OWNER_OTHER, /* one that does not have it */
};

/* What the maildrop of an account that has the message says of it. */
struct message_claim {
	const char *name; /* borrowed, as is the trace: percent-encoded, "" = none */
	const char *trace;
	uint64_t uid;
	uint32_t slot;
	uint64_t size; /* trace included, as in the line */
	uint64_t stored, header_end;
	struct retry_key key;
};

struct message_claims {
	const struct message_claim *v; /* in the order of slots */
	size_t n;
	bool complete; /* every maildrop that could have the message was read */
	/* Whose a line is that no claim proves.  May be NULL: nobody's. */
	enum message_owner (*owner)(const struct name *name, uint64_t uid, void *ctx);
	void *ctx;
};

/* 0: it is whole now; *fillers counts the lines that stand for lost recipients.  -1: nothing
 * was written (but for an error with `sys` set), and *e says why not. */
int message_mend(struct store *s, unsigned volume, uint64_t id,
		 const struct message_claims *claims, size_t *fillers, struct err *e);

#endif
