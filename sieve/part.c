/* SPDX-License-Identifier: ISC */
#include "sieve/part_int.h"

static bool take_all(const struct run *r, const struct mailbox *a, struct str *out)
{
	(void)r;
	*out = a->all;
	return true;
}

static bool take_local(const struct run *r, const struct mailbox *a, struct str *out)
{
	(void)r;
	*out = a->local;
	return true;
}

static bool take_domain(const struct run *r, const struct mailbox *a, struct str *out)
{
	(void)r;
	*out = a->domain;
	return true;
}

const struct part part_all = {take_all}, part_local = {take_local},
		  part_domain = {take_domain};

bool part_take(const struct run *r, const struct node *n, const struct mailbox *a,
	       struct str *out)
{
	const struct arg *arg = node_arg(n, SLOT_PART);
	const struct part *part = arg ? arg->is : &part_all;

	return part->take(r, a, out);
}
