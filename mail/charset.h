/* SPDX-License-Identifier: ISC */
/*
 * charset - text of any character set as UTF-8
 *
 * UTF-8, US-ASCII, ISO-8859-1 and windows-1252 are known here, all others by iconv(3).
 * What is no character becomes U+FFFD.  Text of a set that nobody knows is taken for
 * UTF-8.
 *
 * Owns:   nothing.
 * Limits: `out` has one; a name of a set is at most CHARSET_NAME_MAX octets long and made
 *         of letters, digits and "-_.:+", since iconv(3) takes files and options in it.
 * Tests:  t/unit/mail/charset.c
 */
#ifndef CHARSET_H
#define CHARSET_H

#include "lib/buf.h"

enum { CHARSET_NAME_MAX = 64 };

/* Appends `text` as UTF-8. */
void charset_decode(struct str name, struct str text, struct buf *out);
/* Appends `text`, which should be UTF-8 and may not be. */
void charset_repair(struct str text, struct buf *out);

#endif
