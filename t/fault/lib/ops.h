/* SPDX-License-Identifier: ISC */
/*
 * ops - every operation of the store that writes, as a row: how to run it and what it promises
 *
 * An operation says which of its parts it acknowledged: a bit each.  A part is what one user
 * is told about: one recipient's 250, the +OK of a QUIT, the exit status of a command.
 * It is known by the keys of dump.h that begin with its prefix.
 *
 * Files: ops_names.c (domains, accounts, passwords, forwardings), ops_mail.c (deliveries,
 * sessions, checkpoints), ops_mend.c (opening, recovery, repair)
 */
#ifndef FAULT_OPS_H
#define FAULT_OPS_H

#include "t/fault/lib/world.h"

/* Of a slow operation the short form takes one of so many calls. */
enum { OP_PARTS = 4, SLOW_STEP = 7 };

struct op {
	const char *name;
	unsigned volumes; /* besides the root */
	bool makes;       /* a store that cannot be opened is for it to complete */
	bool bare;        /* there is no store before it */
	bool closed;      /* it opens the store itself */
	bool full;        /* the disk is full */
	bool refused;     /* nothing is acknowledged, also when nothing fails */
	/* Once, after world_base(): what there is before it, closed at the end. */
	void (*prepare)(struct world *w);
	/* Each time, in the process that runs it; not for `closed` ones. */
	void (*begin)(struct world *w);
	/* Returns the parts that it acknowledged; of the others *e says why not. */
	unsigned (*run)(struct world *w, struct err *e);
	const char *parts[OP_PARTS];
	/* Keys with this prefix may be as before or as after, whatever was said. */
	const char *either;
	/* Not acknowledged, keys with this prefix may be damaged: a batch is not synced
	 * object by object. */
	const char *torn;
	/* Not acknowledged, a key may have this value, too: of several durable steps not all
	 * were made. */
	const char *between;
	/* Refused, it may be tried again and leave two copies. */
	bool twice;
	/* Refused, and the process lives on: everything is as before. */
	bool undone;
	/* Invariants that `check` may name, and mends, after it was cut short; always where
	 * the store was damaged before. */
	const char *leaves;
	bool damaged;
	bool slow; /* see SLOW_STEP */
};

extern const struct op ops_names[], ops_mail[], ops_mend[];
extern const size_t ops_names_n, ops_mail_n, ops_mend_n;

size_t ops_count(void);
const struct op *ops_get(size_t i);
const struct op *op_named(const char *name); /* which is there */
unsigned op_all_parts(const struct op *op);
/* Which part a key belongs to; OP_PARTS: none. */
unsigned op_part_of(const struct op *op, const char *key);

#endif
