/* SPDX-License-Identifier: ISC */
/*
 * domain - a name space of accounts, or another name for one
 *
 * A crash in domain_add() or domain_delete() can leave a domain without its
 * `default` account.  It works like one whose `default` was never changed; doing
 * either again, or `popstore check --repair`, completes it.
 *
 * Tests: t/unit/store/domain.c
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include "store/name.h"

struct store;

struct domain {
	struct name name;     /* the domain itself */
	struct name alias_of; /* "" unless an alias domain */
	char delimiters[8];   /* of subaddresses; "" = none */
	bool own_delimiters;  /* set here, not taken from the configuration */
	bool recoverable;     /* passwords are kept so that they can be read again */
};

/* The domain as it stands; an alias is not resolved. */
int domain_find(struct store *s, struct str name, struct domain *out, bool *found,
		struct err *e);
/* The same, and an alias is followed to the domain it names. */
int domain_resolve(struct store *s, struct str name, struct domain *out, bool *found,
		   struct err *e);

/* Cuts a local part at the first of the domain's delimiters: "alice+work" to "alice" and
 * "work".  False: there is none behind a name. */
bool domain_cut_detail(const struct domain *d, struct str *local, struct str *detail);

/* The domain that holds `name` itself.  ERR_PERM, with what to do, where there is none
 * (5.1.2), or where it is an alias (5.1.3): what an alias domain holds has its name in
 * the domain that it stands for. */
int domain_get(struct store *s, const struct name *name, struct domain *out,
	       struct err *e);

/* A new domain gets its `default` account.  An alias of an alias, or of nothing,
 * is refused.  A damaged record is replaced, by that of an alias only where the domain
 * holds nothing. */
int domain_add(struct store *s, const struct domain *d, struct err *e);
int domain_update(struct store *s, const struct domain *d, struct err *e);
/* Refused (ERR_PERM) while it has accounts besides `default`, forwardings, or
 * aliases that point to it; ERR_TEMP where a damaged record of another name may be
 * one.  Its own may be damaged. */
int domain_delete(struct store *s, const struct name *name, struct err *e);

/* Every domain, in no order.  `each` returns false to stop; a damaged record ends it with an
 * error that names it. */
int domain_each(struct store *s, bool (*each)(const struct domain *d, void *ctx),
		void *ctx, struct err *e);
/* The same, but it goes on behind a damaged record, unless `bad` returns false. */
int domain_walk(struct store *s, bool (*each)(const struct domain *d, void *ctx),
		bool (*bad)(const struct name *n, const struct err *why, void *ctx),
		void *ctx, struct err *e);

/* For check: is this text the whole record of this domain?  `what` names it in the error. */
int domain_check_record(struct str text, const struct name *name, const char *what,
			struct err *e);

#endif
