/* SPDX-License-Identifier: ISC */
/*
 * progress - a bar on a terminal for what takes long, silence everywhere else
 *
 *   adding accounts  [##########..............]  41%  820/2000  0:12
 *   checking messages  [##########..............]  41%  123456  0:12
 *
 * Nothing is drawn in the first half second, and at most ten times a second.
 * What else goes to the terminal meanwhile calls progress_hide() before.
 *
 * Owns:    nothing; the descriptor is borrowed.
 * Threads: one owner.
 * Tests:   t/unit/lib/progress.c
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "lib/buf.h"

#include <stdint.h>

struct progress {
	const char *what;
	uint64_t total, done; /* total 0: unknown, and no bar */
	uint64_t count;       /* shown instead of them, where `counted` */
	uint64_t begin_ms, drawn_ms;
	int fd;     /* -1: no terminal */
	bool shown; /* a line stands on the terminal */
	bool counted;
};

/* `what` is borrowed ("adding accounts").  Draws only if `fd` is a terminal. */
void progress_begin(struct progress *p, int fd, const char *what, uint64_t total);
void progress_to(struct progress *p, uint64_t done);
/* For work in parts, whose total nobody knows, but the share of a part that is done: `what`
 * names the part, `count` is what is shown beside the bar. */
void progress_part(struct progress *p, const char *what, uint64_t done, uint64_t total,
		   uint64_t count);
void progress_hide(struct progress *p); /* until the next progress_to() */
void progress_end(
	struct progress *p); /* leaves the last state as a line, if any was drawn */

/* The line as it would be drawn now, cut to `columns`. */
void progress_line(const struct progress *p, uint64_t now_ms, unsigned columns,
		   struct buf *out);

#endif
