/* SPDX-License-Identifier: ISC */
/*
 * input - lines from a descriptor that may hold passwords
 *
 * A line ends in LF or CRLF, which is not part of it; the last one may lack it.
 *
 * Owns:   its buffer, wiped at the end; the descriptor is borrowed.
 * Limits: INPUT_LINE_MAX octets a line; a longer one is swallowed whole and reported
 *         once, never split.
 * Tests:  t/unit/ctl/input.c
 */
#ifndef INPUT_H
#define INPUT_H

#include "lib/buf.h"
#include "lib/err.h"

enum { INPUT_LINE_MAX = 1024 };

enum input_result { INPUT_LINE, INPUT_TOO_LONG, INPUT_END, INPUT_FAILED };

struct input {
	int fd;
	struct buf text;
	size_t used;     /* octets of `text` that were given out already */
	bool ended;      /* nothing more to read */
	uint64_t number; /* of the line last given, from 1 */
};

void input_init(struct input *in, int fd);
void input_fini(struct input *in);

/* *line is borrowed until the next call.  INPUT_FAILED: *e says why. */
enum input_result input_next(struct input *in, struct str *line, struct err *e);

#endif
