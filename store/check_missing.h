/* SPDX-License-Identifier: ISC */
/*
 * check_missing - messages that a maildrop has, and whose file is not there
 *
 * They are taken out of the maildrop all at once, by making it again: its mark then says that
 * lines of it may be missing, so that a file that comes back, from a backup, comes home under
 * its UIDL.  A line that says that the owner removed it would have it let go.
 *
 * Not while it may lie somewhere: on a volume that is not configured, or set aside in
 * <volume>/damaged.
 *
 * Tests: t/unit/store/check_lost.c
 */
#ifndef CHECK_MISSING_H
#define CHECK_MISSING_H

#include "store/check_int.h"
#include "store/maildrop.h"

struct missing {
	struct maildrop_entry *v;
	size_t n, cap;
};

void missing_add(struct missing *x, const struct maildrop_entry *en);
/* Mends the maildrop, under `repair`, and names each message. */
void missing_report(struct check *c, const struct account *a, struct missing *x);
void missing_free(struct missing *x);

#endif
