/* SPDX-License-Identifier: ISC */
/*
 * transfer - undoes a Content-Transfer-Encoding (RFC 2045 section 6), as lenient as readers are
 *
 * base64: what is not of its alphabet is skipped, "=" ends a run, missing padding does not
 * matter.  quoted-printable: "=" without two digits stands for itself, blanks at the end
 * of a line go.
 *
 * Limits: what comes out is never longer than what goes in.
 * Tests:  t/unit/mail/transfer.c
 */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "lib/buf.h"

enum transfer { TRANSFER_NONE, TRANSFER_BASE64, TRANSFER_QP };

/* By the value of the field: 7bit, 8bit, binary and what is not known are NONE. */
enum transfer transfer_of(struct str name);
void transfer_decode(enum transfer how, struct str text, struct buf *out);

#endif
