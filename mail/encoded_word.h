/* SPDX-License-Identifier: ISC */
/*
 * encoded_word - RFC 2047: =?utf-8?q?gr=C3=BC=C3=9Fe?= in a header field, as UTF-8
 *
 * Lenient as readers are: words may stand anywhere, may be longer than 75 octets, and a
 * character may be cut in two between words of the same set.  Blanks between two words are
 * no text.  RFC 2231's language tag ("utf-8*en") is dropped.
 *
 * Tests: t/unit/mail/encoded_word.c
 */
#ifndef ENCODED_WORD_H
#define ENCODED_WORD_H

#include "lib/buf.h"

/* Appends `text`, decoded; octets over 0x7f outside of words have to be UTF-8 or become
 * U+FFFD. */
void encoded_word_decode(struct str text, struct buf *out);

/* Appends `text`, which is UTF-8, as the value of a field: as it is where it is ASCII, else
 * as words; folded to lines of at most 76 octets where that can be, the first of which has
 * `used` octets already.  Control octets become blanks: a value ends no line. */
void encoded_word_encode(struct str text, size_t used, struct buf *out);

#endif
