/* SPDX-License-Identifier: ISC */
/*
 * part - parts of an address that tests look at: all, the local part, the user ...
 *
 * Tests: t/sieve/address.svtest  t/sieve/subaddress.svtest
 */
#ifndef PART_INT_H
#define PART_INT_H

#include "mail/address_list.h"
#include "sieve/run_int.h"

struct part {
	/* False: this address has no such part. */
	bool (*take)(const struct run *r, const struct mailbox *a, struct str *out);
};

extern const struct part part_all, part_local, part_domain; /* core */

/* What SLOT_PART says, or all of it; "" for the null address. */
bool part_take(const struct run *r, const struct node *n, const struct mailbox *a,
	       struct str *out);

#endif
