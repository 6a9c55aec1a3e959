/* SPDX-License-Identifier: ISC */
/*
 * text - strings of a script: encoded characters and variables in them
 *
 * Tests: t/unit/sieve/check.c  t/sieve/variables.svtest
 */
#ifndef TEXT_INT_H
#define TEXT_INT_H

#include "lib/buf.h"

/* Appends a character as UTF-8. */
void text_put_point(struct buf *out, uint32_t c);

#endif
