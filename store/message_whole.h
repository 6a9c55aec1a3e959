/* SPDX-License-Identifier: ISC */
/*
 * message_whole - a message that was read at once and is undamaged, ready to be sent
 *
 * Most messages are small: to read the file in one piece, to check that piece, and to send
 * the very octets that were checked takes fewer calls than to check a file and to send it
 * afterwards.  Whatever is not as it should be is left to message_open() and
 * message_verify(), which take their time and can say what is wrong.
 *
 * Owns:   one piece of memory, for the octets and MESSAGE_WHOLE_FRONT before them.
 * Limits: MESSAGE_WHOLE_MAX stored octets; a header of MESSAGE_WHOLE_HEADER, which is that of
 *         some hundred recipients.
 * Tests:  t/unit/store/message_whole.c
 */
#ifndef MESSAGE_WHOLE_H
#define MESSAGE_WHOLE_H

#include "store/message.h"

enum {
	MESSAGE_WHOLE_MAX = 64 << 10,
	MESSAGE_WHOLE_HEADER = 16 << 10,
	MESSAGE_WHOLE_FRONT = 2 * MESSAGE_TRACE_MAX,
};

struct message_whole;

/* `stored` is what the maildrop says it has.  NULL: it is larger than the limits, or not there,
 * or could not be read, or is not what it says. */
struct message_whole *message_whole_read(struct store *s, unsigned volume, uint64_t id,
					 uint64_t stored) MUST_USE;
void message_whole_free(struct message_whole **w);

/* Borrowed.  No texts are in it, and no recipients. */
const struct message_info *message_whole_info(const struct message_whole *w);
/* The stored octets, `stored` of them; borrowed. */
struct str message_whole_octets(const struct message_whole *w);
/* `before` and then the octets, in one piece, which is borrowed.  Empty where `before` has more
 * than MESSAGE_WHOLE_FRONT octets. */
struct str message_whole_behind(struct message_whole *w, struct str before);

#endif
