/* SPDX-License-Identifier: ISC */
/*
 * judge - after something went wrong: is the store sound, and is what was said true?
 *
 * A new process opens the store, recovers it, checks it, repairs what may have been left
 * behind, and checks again.  Then every key of the dump has to be as before the operation
 * or as after it: what was acknowledged as after it, what it does not touch as it was.
 *
 * Owns: the dumps.  Ends: judge_fini().
 */
#ifndef FAULT_JUDGE_H
#define FAULT_JUDGE_H

#include "t/fault/lib/dump.h"
#include "t/fault/lib/ops.h"

struct judge {
	struct world *w;
	const struct op *op;
	struct dump before, after;
	bool skip_recovery; /* a control */
	bool quiet;         /* a control: what is wrong is counted, not printed */
	uint64_t wrong;
	unsigned printed; /* of one operation: enough is enough */
};

/* What happened to the operation. */
struct outcome {
	unsigned told;    /* the parts that were acknowledged */
	bool clean;       /* nothing failed, nobody died: `check` has nothing to find */
	bool answered;    /* and no power cut since: a refusal's `undone` counts */
	bool tried_twice; /* a second copy may be there */
	const char *what; /* for the message */
};

/* Prints and counts one thing that is wrong. */
void judge_wrong(struct judge *j, const char *what, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* What the store holds after a restart without a fault: becomes j->before or j->after. */
void judge_learn(struct judge *j, struct dump *out);
void judge_now(struct judge *j, const struct outcome *o);
/* A refusal: its class, and a sentence that names an object. */
void judge_error(struct judge *j, const char *what, const struct err *e);
void judge_fini(struct judge *j);

#endif
