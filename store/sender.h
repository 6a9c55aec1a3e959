/* SPDX-License-Identifier: ISC */
/*
 * sender - the envelope sender of what is sent on from here, and the way back (mail/srs.h)
 *
 * The settings name a domain of this store and a file of secrets.  A sender whose domain is
 * ours stays as it is, and so does the null sender.
 *
 * Owns:    in struct store, the secrets: read at first use, which for who gives up its files
 *          has to be before that.
 * Threads: any.
 * Tests:   t/unit/store/sender.c  t/box/test_srs.py
 */
#ifndef SENDER_H
#define SENDER_H

#include "mail/srs.h"

struct store;

/* Reads the secrets, where the settings have any.  ERR_PERM 5.3.5: they are no good, or the
 * domain is not of this store. */
int sender_begin(struct store *s, struct err *e) MUST_USE;

/* Appends what MAIL FROM says when mail of `sender` is sent on. */
int sender_forward(struct store *s, struct str sender, struct buf *out,
		   struct err *e) MUST_USE;

/* SRS_NONE also where the settings have no SRS. */
int sender_reverse(struct store *s, const struct address *a, struct address *home,
		   enum srs_result *result, struct err *e) MUST_USE;

#endif
