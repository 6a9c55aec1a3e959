/* SPDX-License-Identifier: ISC */
/*
 * accounts - what the verbs about accounts share: choosing them, changing them
 *
 * An operand with '*' or '?' is a pattern.  The template `default` of a domain is
 * never meant by a pattern, unless the pattern's local part is "default".
 */
#ifndef ACCOUNTS_H
#define ACCOUNTS_H

#include "auth/secret.h"
#include "ctl/ctl.h"
#include "ctl/table.h"
#include "store/account.h"

/* The account of this name, or an error that says what is there instead. */
int accounts_get(struct ctl *c, struct str name, struct account *out, struct err *e);
/* The same, or a folder of one, as its owner logs in to it: alice+work@example.org. */
int accounts_get_maildrop(struct ctl *c, struct str name, struct account *out,
			  struct err *e);

/* A new account of this name: the domain's template and the switches. */
int accounts_new(struct ctl *c, struct str name, struct account *out, struct err *e);
/* Makes it, and its secret unless the hash is "": both or none.  `batch` as in
 * account_create(). */
int accounts_create(struct ctl *c, struct account *a, const struct secret_prepared *p,
		    bool batch, struct err *e);

bool accounts_is_pattern(struct str operand);
/* Whether the pattern speaks of this account, which it matches (see above). */
bool accounts_meant(struct str pattern, const struct account *a);

/* Puts what the switches say (--quota, --flags ...) into *a. */
int accounts_apply(const struct ctl *c, struct account *a, struct err *e);

/* Its flags as a cell of a table: a list of "DISMAIL" and so on. */
void accounts_flags_cell(struct table *t, const struct account *a);

/* What modify and delete are made of: all accounts that the operands choose, one
 * by one, after asking where a pattern chose them.  One that fails is complained
 * about and does not stop the others. */
struct accounts_change {
	const char *verb; /* "delete": for the question and the progress bar */
	const char *done; /* "deleted" */
	int (*one)(struct ctl *c, struct account *a, struct err *e);
	/* What becomes of one whose profile is damaged or lost, if it is named as it is and
	 * with --yes; only the name of *a is set.  NULL: it is complained about. */
	int (*damaged)(struct ctl *c, struct account *a, struct err *e);
	bool folders; /* may be named, too */
};
int accounts_change(struct ctl *c, const struct accounts_change *how, struct err *e);

#endif
