/* SPDX-License-Identifier: ISC */
/*
 * account_int - accounts, for store/domain.c, which holds tree_lock() already
 */
#ifndef ACCOUNT_INT_H
#define ACCOUNT_INT_H

#include "store/account.h"

int account_create_locked(struct store *s, struct account *a, bool batch, struct err *e);
int account_delete_locked(struct store *s, const struct name *name, struct err *e);
/* "default@<domain>" */
int account_template_name(struct store *s, const struct name *domain, struct name *out,
			  struct err *e);

#endif
