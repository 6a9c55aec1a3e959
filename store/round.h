/* SPDX-License-Identifier: ISC */
/*
 * round - a walk over the whole store that can stop and go on: check and scrub
 *
 * A round goes through phases; in some of them through accounts or messages in the order
 * of their places, one step each.  After a step it knows where it is and what it has
 * counted so far; every ROUND_SAVE_MS, and when it stops, it writes that down, into
 * <root>/<name> (doc/STORE.md, section 18), so that another process can go on there
 * and come to the same result.  A phase without steps is done again.
 *
 * The record is a convenience: it is not synced, and where it cannot be written, or
 * another round holds <root>/<name>.lease, the round does without.  But it never runs
 * ahead of a repair: what was repaired before the place is durable before the place is
 * written.
 *
 * Owns:  the lease, between round_begin() and round_end().
 * Tests: t/unit/store/round.c  t/box/test_check.py
 */
#ifndef ROUND_H
#define ROUND_H

#include "store/check.h"
#include "store/storage.h"
#include "store/tree.h"

enum { ROUND_SAVE_MS = 2000 };

/* What the record says. */
struct round_state {
	char what[64];            /* "check --repair": as it is typed */
	char phase[32];           /* "messages" */
	uint64_t volume;          /* in that phase */
	char place[PLACE_OCTETS]; /* the last that was done; "": none */
	uint64_t share;           /* of the phase, of TREE_WHOLE */
	uint64_t volumes;         /* tells one set of volumes from another */
	struct check_result so_far;
	uint64_t started_ms, at_ms, pid;
};

struct check;

struct round {
	struct store *s;
	struct check *c;  /* whose it is: directories that cannot be read are findings */
	const char *name; /* "checking" */
	const struct check_options *o;
	struct check_result *so_far; /* counted by the caller */
	struct round_state now;      /* as of the last step */
	struct storage_lease *lease; /* NULL: nothing is written down */
	uint64_t saved_ms, synced;   /* repairs that are durable */
	bool resuming;               /* the phase to go on in is still to come */
	bool stopped;
	/* Something was found that nobody has been told of yet: as long as this is so the place
	 * stays where it was written down last. */
	bool hold;
	bool again; /* a later walk goes there too, and names what cannot be read */
};

/* `what` says how it was asked for: only the same can be resumed (ERR_PERM).  Fills *so_far
 * where o->resume finds something to go on with. */
int round_begin(struct round *r, const char *what, struct err *e);
/* Is this phase to be run?  Not when it was done before the round stopped. */
bool round_enter(struct round *r, const char *phase);
/* After the last phase, or when one failed (`rc`): removes the record, or writes where to
 * go on.  Returns rc. */
int round_end(struct round *r, int rc, struct err *e);

/* Both call `each` for everything that is still to do, until it is asked to stop.  `path` is
 * where the name was found, which may be another's place. */
int round_names(struct round *r, const char *tree,
		int (*each)(const char *path, const struct name *name, void *ctx,
			    struct err *e),
		void *ctx, struct err *e);
int round_messages(struct round *r,
		   int (*each)(unsigned volume, uint64_t id, void *ctx, struct err *e),
		   void *ctx, struct err *e);
/* For an `each` that takes long: when it is true, it leaves off, counts nothing, and its
 * message comes again when the round is resumed. */
bool round_must_stop(struct round *r);

/* ---- the record ---------------------------------------------------------------- */

/* -1: it is there, and cannot be read. */
int round_state_read(struct store *s, const char *name, struct round_state *out,
		     bool *found, struct err *e);
/* Without a word where it cannot be written. */
void round_state_write(struct store *s, const char *name, struct round_state *st);
/* For `popstore status`: false where there is no record, or none that can be read. */
bool round_read(struct store *s, const char *name, struct round_state *out,
		bool *running);

#endif
