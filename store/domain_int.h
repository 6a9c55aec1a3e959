/* SPDX-License-Identifier: ISC */
/*
 * domain_int - what the parts of domain share
 */
#ifndef DOMAIN_INT_H
#define DOMAIN_INT_H

#include "store/domain.h"

/* A known_parse() that makes a struct domain. */
int domain_read_known(struct str text, const struct name *name, const char *path,
		      void *out, struct err *e);

/* No account but the template, no forwarding, no alias; ERR_PERM says which one at least.
 * Where the damaged record of another domain may be such an alias: ERR_TEMP. */
int domain_check_unused(struct store *s, const struct name *name, struct err *e);

#endif
