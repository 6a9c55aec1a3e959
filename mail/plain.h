/* SPDX-License-Identifier: ISC */
/*
 * plain - a stored message as sendmail(1) reads it: LF, no dots doubled, no end
 *
 * Stored octets (CRLF, dot-stuffed, with the end) come from `read`, in any pieces; what
 * becomes of them goes to `write`.
 *
 * Tests: t/unit/mail/submit.c
 */
#ifndef PLAIN_H
#define PLAIN_H

#include "lib/err.h"
#include "lib/str.h"

struct plain_copy {
	/* Stored octets at `offset`, up to and including the end. */
	int (*read)(void *ctx, uint64_t offset, char *to, size_t n, size_t *got,
		    struct err *e);
	void *from;
	int (*write)(void *ctx, struct str octets, struct err *e);
	void *to;
};

int plain_copy(const struct plain_copy *c, struct err *e) MUST_USE;

#endif
