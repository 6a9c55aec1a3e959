/* SPDX-License-Identifier: ISC */
/*
 * message_int - the parts of a message file's header, one by one, for its repair
 *
 * The lines from the first to `slots` have fixed widths, so each number has one place.
 */
#ifndef MESSAGE_INT_H
#define MESSAGE_INT_H

#include "store/message.h"

enum {
	/* Offsets of the numbers in the head; doc/STORE.md, section 10. */
	MESSAGE_AT_BODY = 19,
	MESSAGE_AT_ID = 31,
	MESSAGE_AT_ARRIVED = 53,
	MESSAGE_AT_SUM = 165,
	MESSAGE_AT_KEY = 192,
	MESSAGE_AT_SLOTS = 231,
	MESSAGE_AT_STORED = 81,
	MESSAGE_NUMBERS = 242, /* octets of these lines */
	MESSAGE_SUM_LINE = 26, /* "head-sum 247d139c9048f009", "slot-sum ...", with LF */
	MESSAGE_STATE_AT = 5,  /* the state's octet in "rcpt + " */
	MESSAGE_SLOT_LINE_MIN = 27, /* "rcpt + x@x 0000000000000 -" with LF */
};

/* The lines of fixed width: the first one to `slots`. */
void message_numbers_print(const struct message_info *mi, struct buf *out);
/* One `rcpt` line; its offset is counted from `base` in `out`. */
void message_slot_print(struct message_slot *slot, size_t base, struct buf *out);
/* The line is without its LF; the offset is counted from `base`. */
bool message_slot_parse(struct str line, const char *base, struct message_slot *slot);
/* Of the `rcpt` lines, every state taken as '+'. */
uint64_t message_slots_sum(struct str lines);

#endif
