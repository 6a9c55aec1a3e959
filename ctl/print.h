/* SPDX-License-Identifier: ISC */
/*
 * print - what an operator sees: text made harmless, sizes, times, JSON
 *
 * Tests: t/unit/ctl/print.c
 */
#ifndef PRINT_H
#define PRINT_H

#include "lib/buf.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Appends `s` so that no name in a store and no word of a peer can steer the
 * terminal: control octets, C1 controls and what is no UTF-8 become \xHH. */
void print_visible(struct buf *out, struct str s);
void print_visible_to(FILE *out, struct str s);

/* "0", "512", "100M", "1.5G": exact where there is no point, else rounded. */
void print_size(struct buf *out, uint64_t octets);

/* "2026-11-21 20:13:43Z", in UTC as the log and the messages; "never" for 0. */
void print_time(struct buf *out, uint64_t unix_ms);

/* A JSON string; what is no UTF-8 is escaped as above. */
json_t *print_json_text(struct str s);
/* "2026-11-21T20:13:43.123Z", or null for 0. */
json_t *print_json_time(uint64_t unix_ms);
/* {"name": ..., "done": "deleted"}: what a verb says that changed something. */
json_t *print_json_done(struct str name, const char *done);

/* Writes the value and a newline, and lets go of it. */
void print_json(json_t *owned, FILE *out);

#endif
