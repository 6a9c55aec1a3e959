/* SPDX-License-Identifier: ISC */
/*
 * message_mend_int - what the two parts of a header's repair share
 */
#ifndef MESSAGE_MEND_INT_H
#define MESSAGE_MEND_INT_H

#include "store/message_int.h"
#include "store/message_mend.h"

struct message_repair {
	struct storage_file *file;
	uint64_t id;   /* of the place */
	uint64_t size; /* of the file */
	const struct message_claims *claims;
	struct buf was;         /* the first octets of the file, the header and more */
	struct buf header;      /* as it is to be; the body begins behind it */
	struct message_info mi; /* its numbers */
	size_t slots_at; /* where the recipients begin in it; 0: not known, see below */
	bool made;       /* the head was not in the file: it is to be printed */
	size_t fillers;
	bool doubt; /* a line that nothing proves, and that somebody may need */
};

/* Finds out what the head says, and that the body is the one it is about.  slots_at stays 0
 * where the damage covers the end of the head. */
int message_mend_head(struct message_repair *r, struct err *e);
/* Makes the recipients whole, and slots_at known. */
int message_mend_slots(struct message_repair *r, struct err *e);
/* Prints the head over r->header, from r->mi and what is left of its last lines. */
void message_mend_print(struct message_repair *r);

/* All claims fit what mi says. */
bool message_claims_agree(const struct message_repair *r);
/* An offset behind `from`, or 0 */
size_t message_mend_find(struct str text, size_t from, const char *what);

#endif
