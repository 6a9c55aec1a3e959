/* SPDX-License-Identifier: ISC */
/*
 * recall - what the maildrops say of one dead writer's messages, each read once
 *
 * Recovery asks about one message after the other, and an account that got a thousand of
 * them may hold a hundred thousand.  Nobody but recovery adds lines for these messages
 * any more, and what a session removes meanwhile it lets go itself: so what was read
 * once stays true enough.
 *
 * Owns:   what it remembers: the messages between the writer's checkpoint and the end of
 *         its ids, and nothing else of a maildrop.  recall_fini() ends it.
 * Tests:  t/unit/store/recover.c  t/crash/test_recovery.py
 */
#ifndef RECALL_H
#define RECALL_H

#include "store/account.h"
#include "store/idmap.h"
#include "store/maildrop.h"
#include "store/writer.h"

struct recall {
	struct store *s;
	const struct writer_state *writer;
	bool after_power_cut;
	struct idmap places; /* uid -> index of `drops` */
	struct recall_drop *drops;
	size_t n, cap;
};

/* A power cut may have left holes in maildrops: `after_power_cut` has them cut off. */
void recall_init(struct recall *r, struct store *s, const struct writer_state *writer,
		 bool after_power_cut);
void recall_fini(struct recall *r);
int recall_state(struct recall *r, const struct account *a, uint64_t id,
		 enum maildrop_state *out, struct err *e);
/* A line was appended for it, whatever was read before. */
void recall_added(struct recall *r, const struct account *a, uint64_t id);

#endif
