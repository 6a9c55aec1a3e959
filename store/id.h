/* SPDX-License-Identifier: ISC */
/*
 * id - the name of a message, an account's incarnation, and anything else that
 *      must never be named twice
 *
 * 64 bits, ordered by time: 41 bits of milliseconds since 2020-01-01 UTC (until
 * 2089), 11 bits of writer, 12 bits of sequence.  Written as 13 characters of
 * base32hex in lower case (0-9a-v), which keeps the order.  A message's id is its
 * UIDL, unless migration brought an older one.
 *
 * A writer number belongs to one process at a time (store/writer.h), so two
 * processes or hosts never meet; within the writer, time only goes forward, and
 * what may have been used is written down before it is used, so a clock that
 * jumps back, also across a crash, cannot use an id again.
 *
 * Tests: t/unit/store/id.c
 */
#ifndef ID_H
#define ID_H

#include "lib/str.h"

#include <stdint.h>

enum { ID_CHARS = 13, ID_WRITERS = 2048, ID_SEQUENCE = 4096 };

/* The year 2020 began at this Unix time, in milliseconds. */
#define ID_EPOCH_MS UINT64_C(1577836800000)
/* The last millisecond that an id can name. */
#define ID_LAST_MS (ID_EPOCH_MS + (UINT64_C(1) << 41) - 1)

struct id_text {
	char c[ID_CHARS + 1];
};

struct id_text id_print(uint64_t id);
bool id_parse(struct str s, uint64_t *out) MUST_USE; /* exactly 13 digits, in range */

uint64_t id_make(uint64_t unix_ms, uint32_t writer, uint32_t sequence);
uint64_t id_unix_ms(uint64_t id);
uint32_t id_writer(uint64_t id);

#endif
