/* SPDX-License-Identifier: ISC */
/*
 * conf_int - what the files of conf share: conf.c reads, conf_scan.c looks at the
 *            text before libconfuse does, conf_value.c sets one value, conf_print.c
 *            writes
 *
 * Tests: t/unit/lib/conf.c
 */
#ifndef CONF_INT_H
#define CONF_INT_H

#include "lib/conf.h"

enum { CONF_VALUE_MAX = 4096 };

/* An error of the file, with its line. */
int conf_wrong(const char *file, int line, const char *what, struct err *e);

/* Refuses what libconfuse would let pass.  `clean` has room for text.n octets and a
 * NUL, and gets the text without its comments. */
int conf_scan(const char *file, struct str text, char *clean, struct err *e);

bool conf_is_list(const struct conf_item *it);
struct str conf_default(const struct conf_item *it); /* borrowed: until the next call */
/* Sets the field; a list's value is added to it.  On false, *why ends a sentence that
 * begins with the setting's name. */
bool conf_set(const struct conf_item *it, struct str s, void *base, struct buf *why);
void conf_set_defaults(const struct conf_table *t, void *base);
/* In the shortest form: 50M, 10m. */
void conf_print_number(struct buf *out, enum conf_kind kind, uint64_t v);

#endif
