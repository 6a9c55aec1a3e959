/* SPDX-License-Identifier: ISC */
/*
 * mime - the parts of a message (RFC 2045, 2046)
 *
 * The parts of a multipart, and the message within a message/rfc822, are children.  Text is
 * where it was; decoding is done on demand.
 *
 * Owns:    nothing: all lies in the arena or in the message.
 * Limits:  MIME_DEPTH, MIME_PARTS; what is nested deeper, and parts beyond, are text of the
 *          part that they stand in.  The octets are looked at once for each level.
 * Tests:   t/unit/mail/mime.c
 */
#ifndef MIME_H
#define MIME_H

#include "lib/buf.h"
#include "mail/content.h"
#include "mail/header.h"
#include "mail/transfer.h"

enum { MIME_DEPTH = 20, MIME_PARTS = 1000 };

struct mime_part {
	struct header header;
	struct str head; /* the header, as it stands there; "" for the message's own */
	struct str text; /* behind the header, still encoded */
	struct str before, after; /* of a multipart: the text around its parts */
	struct str type, subtype; /* lower case */
	struct content content;   /* the Content-Type */
	enum transfer transfer;
	struct mime_part *parent, *child, *next;
	struct str decoded, visible; /* for whoever keeps what it made of the text */
};

/* `header` is the message's, which is parsed already; `body` what stands behind it. */
struct mime_part *mime_parse(struct arena *a, const struct header *header,
			     struct str body);

/* Depth first: the part after `p`, of those below `top`; NULL: there are no more. */
struct mime_part *mime_next(const struct mime_part *p, const struct mime_part *top);

/* Appends the text, decoded; of text/..., as UTF-8. */
void mime_decode(const struct mime_part *p, struct buf *out);
/* Appends what a reader sees: the same, and without the marks of text/html. */
void mime_visible(const struct mime_part *p, struct buf *out);

/* A field's value with its parameters; false: the part has no such field. */
bool mime_field(const struct mime_part *p, struct arena *a, struct str name,
		struct content *out);

#endif
