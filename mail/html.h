/* SPDX-License-Identifier: ISC */
/*
 * html - the text of an HTML document, for searching
 *
 * Marks and comments go, and with script, style and head what is in them.  Marks that begin
 * a new line for a reader become a blank; character references become characters; runs of
 * blanks become one.
 *
 * Limits: what comes out is never longer than what goes in.
 * Tests:  t/unit/mail/html.c
 */
#ifndef HTML_H
#define HTML_H

#include "lib/buf.h"

void html_text(struct str html, struct buf *out);

#endif
