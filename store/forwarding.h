/* SPDX-License-Identifier: ISC */
/*
 * forwarding - a name that is no account and stands for one or more addresses
 *
 * Targets may be accounts of this store, other forwardings, or addresses
 * elsewhere.  The MTA can expand them (socketmap, virtual_alias_maps); where it
 * does not, the delivery agent does.
 *
 * Limits: FORWARDING_TARGETS targets; chains of FORWARDING_DEPTH.
 * Tests:  t/unit/store/forwarding.c
 */
#ifndef FORWARDING_H
#define FORWARDING_H

#include "store/name.h"

struct store;

enum { FORWARDING_TARGETS = 100, FORWARDING_DEPTH = 10 };

struct forwarding {
	struct name name;
	size_t n;
	struct address *targets; /* n of them, owned */
};

int forwarding_find(struct store *s, const struct name *name, struct forwarding *out,
		    bool *found, struct err *e);
/* Makes or replaces.  ERR_PERM when the name is an account or `default`, the domain is
 * unknown or an alias, or a target is the name itself, as it is or in an alias domain.
 * Longer circles are found when mail comes, by FORWARDING_DEPTH. */
int forwarding_put(struct store *s, const struct forwarding *f, struct err *e);
int forwarding_delete(struct store *s, const struct name *name, bool *existed,
		      struct err *e);
/* `each` returns false to stop; a damaged record ends it with an error that names it. */
int forwarding_each(struct store *s, struct str pattern,
		    bool (*each)(const struct forwarding *f, void *ctx), void *ctx,
		    struct err *e);
/* The same, but it goes on behind a damaged record, unless `bad` returns false. */
int forwarding_walk(struct store *s, struct str pattern,
		    bool (*each)(const struct forwarding *f, void *ctx),
		    bool (*bad)(const struct name *n, const struct err *why, void *ctx),
		    void *ctx, struct err *e);
/* For check: is this text the whole record of this name?  `what` names it in the error. */
int forwarding_check_record(struct str text, const struct name *name, const char *what,
			    struct err *e);
void forwarding_fini(struct forwarding *f); /* {0} is fine */

#endif
