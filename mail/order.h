/* SPDX-License-Identifier: ISC */
/*
 * order - what popstore-submitd is asked to mail, and what it answers, as octets
 *
 *   timeout 300000 LF            milliseconds
 *   sender who@example.com LF    empty: the null sender
 *   notify success,failure LF    where it was said; so with ret
 *   rcpt far@example.org LF      once for each
 *   message LF
 *   n n n n octets               pieces, each behind its length (most significant octet
 *   0 0 0 0                      first), and the end
 *
 *   ok LF  |  temporary 4.3.0 text LF  |  permanent 5.6.0 text LF
 *
 * The end is said, and not seen from a connection that closes: who asks may die in the
 * middle, and half a message is mailed to nobody.
 *
 * Owns:    an order: the texts of its envelope.
 * Limits:  ORDER_LINE_MAX, SUBMIT_RECIPIENTS, `max_octets` of message.
 * Tests:   t/unit/mail/order.c  t/fuzz/order.c
 */
#ifndef ORDER_H
#define ORDER_H

#include "lib/buf.h"
#include "mail/submit.h"

enum { ORDER_LINE_MAX = 2048, ORDER_PIECE = 16384, ORDER_ANSWER_MAX = 512 };

/* ---- asking ---------------------------------------------------------------------- */

/* All up to the message; `out` has to have room for it. */
void order_put_envelope(struct buf *out, const struct submit *s);
size_t order_envelope_max(const struct submit *s);
/* At most ORDER_PIECE octets; none of them: the end. */
void order_put_piece(struct buf *out, struct str octets);

/* The line of an answer: what submit_file() returned there. */
int order_answer(struct str line, struct err *e) MUST_USE;

/* ---- being asked ------------------------------------------------------------------- */

enum order_state {
	ORDER_ENVELOPE, /* feed it more */
	ORDER_MESSAGE,  /* the same; a piece may have come */
	ORDER_WHOLE,
	ORDER_BROKEN, /* not such an order, or too large */
};

struct order;

struct order *order_new(uint64_t max_octets);
void order_free(struct order **o);

/* Takes octets in and returns how many.  *piece: of the message, points into `in`. */
size_t order_feed(struct order *o, struct str in, struct str *piece);
enum order_state order_state(const struct order *o);

/* The envelope, when ORDER_WHOLE: borrowed; program and read are the caller's to set. */
void order_submit(const struct order *o, struct submit *out);

/* rc and *e are submit_file()'s. */
void order_put_answer(struct buf *out, int rc, const struct err *e);

#endif
