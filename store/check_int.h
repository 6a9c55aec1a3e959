/* SPDX-License-Identifier: ISC */
/*
 * check_int - what the parts of check share
 */
#ifndef CHECK_INT_H
#define CHECK_INT_H

#include "store/account.h"
#include "store/check.h"
#include "store/idmap.h"

struct check {
	struct store *s;
	const struct check_options *o;
	struct check_result *result;
	struct idmap seen; /* of (uid, id): in a maildrop and its slot holds */
};

/* Most (uid, id) pairs are seen among the accounts, so that their slots need no second
 * look at the maildrop.  Beyond CHECK_SEEN_MAX of them memory wins over speed. */
enum { CHECK_SEEN_MAX = 4 << 20 };
void check_saw(struct check *c, uint64_t uid, uint64_t id);
bool check_was_seen(const struct check *c, uint64_t uid, uint64_t id);

/* Counts and reports one finding. */
void check_report(struct check *c, const char *invariant, bool repaired, const char *fmt,
		  ...) PRINTF_LIKE(4, 5);

/* One account: its place, its domain, its maildrop, and the messages in it. */
int check_account(struct check *c, const struct account *a, struct err *e);
/* Every message file: whole, wanted, and mentioned by those it holds for. */
int check_messages(struct check *c, struct err *e);

#endif
